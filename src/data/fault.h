// From an Error to what OnFault hears.
#pragma once

#include <string>

#include "base/error.h"

namespace clipnext::data {

/// The message without the name it begins with: a listener hears the name anyway.
inline std::string reason_of(const Error& error, const std::string& name) {
  const std::string message = error.what();
  return message.starts_with(name + ": ") ? message.substr(name.size() + 2) : message;
}

}  // namespace clipnext::data

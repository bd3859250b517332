// For tests only: what an error says.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace clipnext {

/// The message of the Error that `call` throws; "no error" if it throws none.
inline std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace clipnext

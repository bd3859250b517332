// The exception that the library throws, and what marks a symbol as part of its interface.
#pragma once

#include <stdexcept>

#define CLIPNEXT_API __attribute__((visibility("default")))

namespace clipnext {

/// Something outside went wrong: a file, a request, a command line. The message says where, what is
/// wrong, what was expected and found, and what to do if that is known.
class CLIPNEXT_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace clipnext

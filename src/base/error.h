// The one exception type of the project, and the two ways to raise it.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace clipnext {

/// Something outside went wrong: a file, a request, a command line. The message says where, what is
/// wrong, what was expected and found, and what to do if that is known. Our own mistakes are
/// asserts.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The user asked to stop (SIGINT); the command line exits with 130.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted") {}
};

/// Streams its arguments into the message of an Error and throws it.
template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  std::ostringstream message;
  (message << ... << args);
  throw Error(message.str());
}

/// fail(args...) unless ok.
template <class... Args>
void require(bool ok, const Args&... args) {
  if (!ok) fail(args...);
}

}  // namespace clipnext

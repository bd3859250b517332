// The one exception type of the project (declared with the public interface, as it is part of it),
// and the two ways to raise it. Our own mistakes are asserts.
#pragma once

#include <clipnext/error.hpp>
#include <sstream>
#include <string>

namespace clipnext {

/// The user asked to stop (SIGINT); the command line exits with 130.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted") {}
};

/// Everything ran, but a figure that was to be reached was not; the command line exits with 3.
class ExpectationMissed : public Error {
 public:
  using Error::Error;
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

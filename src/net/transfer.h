// One request and its answer, without a second try.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "net/http.h"

namespace clipnext::net {

/// The last answer of a chain of redirects.
struct Answer {
  int64_t status = 0;                          // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string failure;                         // of the transfer; empty if all of it came

  /// Empty if there is no such header.
  std::string header(const std::string& name) const;
};

/// Gets `url` with these headers besides those of `options`. `receive` hears of the body piece by
/// piece, once status and headers are known; what it throws ends the transfer and is thrown from
/// here. Throws Interrupted if the user asks to stop.
Answer get(const std::string& url, const HttpOptions& options,
           const std::vector<std::string>& headers,
           const std::function<void(const Answer&, std::string_view)>& receive);

/// Calls `attempt`, which says what went wrong (empty: nothing), up to options.tries times, waiting
/// longer each time. Throws Error naming the URL and the last failure.
void try_again(const std::string& url, const HttpOptions& options,
               const std::function<std::string()>& attempt);

/// "HTTP status 503" or what went wrong on the way.
std::string describe(const Answer& answer);

}  // namespace clipnext::net

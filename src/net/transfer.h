// One request and its answer, without a second try.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace clipnext::net {

/// What is asked of a server.
struct Request {
  std::string url;
  std::vector<std::string> headers = {};  // besides those of HttpOptions
  bool head = false;                      // the headers only, as they would be with a body
  bool follow = true;                     // redirects
};

/// The last answer of a chain of redirects, or the first one of a request that does not follow.
struct Answer {
  int64_t status = 0;                          // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string failure;                         // of the transfer; empty if all of it came
  bool hopeless = false;                       // the failure will be the same next time
  std::string location;                        // where a redirect that was not followed leads
  double retry_after_s = 0;                    // what the server asks to wait; 0: nothing

  /// Empty if there is no such header.
  std::string header(const std::string& name) const;
};

using Receive = std::function<void(const Answer&, std::string_view)>;

/// Asks once. `receive` hears of the body piece by piece, once status and headers are known; what
/// it throws ends the transfer and is thrown from here. Throws Interrupted if the user asks to
/// stop.
Answer send(const Request& request, const HttpOptions& options, const Receive& receive);

/// Why an attempt was none.
struct Failure {
  std::string what = {};    // empty: nothing went wrong
  bool hopeless = false;    // the next try would end likewise
  bool progressed = false;  // something arrived, so tries are counted anew
  double wait_s = 0;        // before the next try, where that is longer than ours
};

/// What is wrong with an answer that is not the one looked for.
Failure failure_of(const Answer& answer, const HttpOptions& options);

/// Calls `attempt` until nothing goes wrong, up to options.tries times in a row without progress,
/// waiting longer each time, or as long as the server asks. Throws Error naming the URL and the
/// last failure. Returns early if options.stop says so.
void try_again(const std::string& url, const HttpOptions& options,
               const std::function<Failure()>& attempt);

/// The final answer to a request for something small, and its body: a success, a redirect that is
/// not followed or 404. Whatever else comes is tried again where that may help, then Error; so is a
/// body above max_bytes.
struct Reply {
  Answer answer;
  std::string body;
};
Reply ask(const Request& request, const HttpOptions& options, int64_t max_bytes);

}  // namespace clipnext::net

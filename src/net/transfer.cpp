#include "net/transfer.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/text_lines.h"
#include "net/curl.h"

namespace clipnext::net {
namespace {

constexpr size_t kMaxHeaders = 200;
constexpr double kMostPatience = 300;  // seconds that a server may ask to wait

struct Running {
  CURL* handle = nullptr;
  Answer answer;
  const Receive* receive = nullptr;
  const HttpOptions* options = nullptr;
  std::exception_ptr thrown;  // may not pass through C
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

size_t on_header(char* data, size_t, size_t size, void* user) {
  Answer& answer = static_cast<Running*>(user)->answer;
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) {  // of a proxy, of a redirect, then of the answer
    answer.headers.clear();
    return size;
  }
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos && answer.headers.size() < kMaxHeaders) {
    answer.headers[lower(trim(line.substr(0, colon)))] = trim(line.substr(colon + 1));
  }
  return size;
}

size_t on_body(char* data, size_t, size_t size, void* user) {
  auto& running = *static_cast<Running*>(user);
  long status = 0;
  curl().easy_getinfo(running.handle, CURLINFO_RESPONSE_CODE, &status);
  running.answer.status = status;
  try {
    (*running.receive)(running.answer, {data, size});
    return size;
  } catch (...) {
    running.thrown = std::current_exception();
    return 0;
  }
}

bool stopped(const HttpOptions& options) { return options.stop && options.stop(); }

int on_tick(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return interrupted() || stopped(*static_cast<Running*>(user)->options) ? 1 : 0;
}

struct Handle {
  Handle() : curl(net::curl()), easy(curl.easy_init()) {
    require(easy != nullptr, "libcurl cannot start a transfer");
  }
  ~Handle() {
    curl.easy_cleanup(easy);
    curl.slist_free_all(headers);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  template <class T>
  void set(CURLoption option, T value) const {
    require(curl.easy_setopt(easy, option, value) == CURLE_OK, "libcurl.so.4 lacks option ",
            static_cast<int>(option), ": it is too old");
  }
  void add(const std::string& header) {
    curl_slist* longer = curl.slist_append(headers, header.c_str());
    require(longer != nullptr, "out of memory");
    headers = longer;
  }

  const Curl& curl;
  CURL* easy;
  curl_slist* headers = nullptr;
};

void configure(Handle& handle, const Request& request, const HttpOptions& options) {
  const std::string& url = request.url;
  // Nothing but the web, and nothing in the clear that was to be encrypted.
  const char* protocols = url.starts_with("https:") ? "https" : "http,https";
  handle.set(CURLOPT_URL, url.c_str());
  handle.set(CURLOPT_PROTOCOLS_STR, protocols);
  handle.set(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
  handle.set(CURLOPT_FOLLOWLOCATION, request.follow ? 1L : 0L);
  handle.set(CURLOPT_NOBODY, request.head ? 1L : 0L);
  handle.set(CURLOPT_MAXREDIRS, 10L);
  handle.set(CURLOPT_NOSIGNAL, 1L);
  handle.set(CURLOPT_USERAGENT, "clipnext");
  handle.set(CURLOPT_CONNECTTIMEOUT, 30L);
  handle.set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  handle.set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(options.stall_s)));
  handle.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  for (const std::string& header : options.headers) handle.add(header);
  for (const std::string& header : request.headers) handle.add(header);
  handle.set(CURLOPT_HTTPHEADER, handle.headers);
  handle.set(CURLOPT_HEADERFUNCTION, &on_header);
  handle.set(CURLOPT_WRITEFUNCTION, &on_body);
  handle.set(CURLOPT_NOPROGRESS, 0L);
  handle.set(CURLOPT_XFERINFOFUNCTION, &on_tick);
}

/// Whether the same request would fail in the same way.
bool is_hopeless(CURLcode code) {
  return code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_UNSUPPORTED_PROTOCOL ||
         code == CURLE_URL_MALFORMAT;
}

void read_info(const Handle& handle, Answer& answer) {
  long status = 0;
  handle.curl.easy_getinfo(handle.easy, CURLINFO_RESPONSE_CODE, &status);
  answer.status = status;
  char* location = nullptr;  // the handle's
  handle.curl.easy_getinfo(handle.easy, CURLINFO_REDIRECT_URL, &location);
  if (location != nullptr) answer.location = location;
  curl_off_t seconds = 0;
  handle.curl.easy_getinfo(handle.easy, CURLINFO_RETRY_AFTER, &seconds);
  answer.retry_after_s = static_cast<double>(seconds);
}

void wait(double seconds, const HttpOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    throw_if_interrupted();
    if (stopped(options)) return;
    std::this_thread::sleep_for(
        std::min<std::chrono::duration<double>>(end - Clock::now(), std::chrono::milliseconds(50)));
  }
}

}  // namespace

std::string Answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

Answer send(const Request& request, const HttpOptions& options, const Receive& receive) {
  throw_if_interrupted();
  Handle handle;
  configure(handle, request, options);
  char reason[CURL_ERROR_SIZE] = "";
  handle.set(CURLOPT_ERRORBUFFER, static_cast<char*>(reason));
  Running running;
  running.handle = handle.easy;
  running.receive = &receive;
  running.options = &options;
  handle.set(CURLOPT_HEADERDATA, &running);
  handle.set(CURLOPT_WRITEDATA, &running);
  handle.set(CURLOPT_XFERINFODATA, &running);
  const CURLcode code = handle.curl.easy_perform(handle.easy);
  throw_if_interrupted();
  if (running.thrown) std::rethrow_exception(running.thrown);
  Answer answer = std::move(running.answer);
  read_info(handle, answer);
  if (code != CURLE_OK) {
    answer.failure = reason[0] != '\0' ? reason : handle.curl.easy_strerror(code);
    answer.hopeless = is_hopeless(code);
  }
  return answer;
}

Failure failure_of(const Answer& answer, const HttpOptions& options) {
  if (!answer.failure.empty()) return {.what = answer.failure, .hopeless = answer.hopeless};
  const int64_t status = answer.status;
  Failure failure{.what = "HTTP status " + std::to_string(status)};
  const std::string meaning = options.explain ? options.explain(answer) : "";
  if (!meaning.empty()) failure.what += ": " + meaning;
  failure.hopeless =
      status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
  if (status == 429 || status == 503) failure.wait_s = answer.retry_after_s;
  if (failure.wait_s > kMostPatience) {
    failure.what += "; the server asks to wait for " + format_duration(failure.wait_s);
    failure.hopeless = true;
  }
  return failure;
}

void try_again(const std::string& url, const HttpOptions& options,
               const std::function<Failure()>& attempt) {
  double pause = options.first_wait_s;
  for (int tried = 1;; ++tried) {
    const Failure failure = attempt();
    if (failure.what.empty() || stopped(options)) return;
    require(!failure.hopeless, url, ": ", failure.what);
    if (failure.progressed) {
      tried = 1;
      pause = options.first_wait_s;
    }
    require(tried < options.tries, url, ": ", failure.what, " (tried ", tried, " times)");
    wait(std::max(pause, failure.wait_s), options);
    pause *= 2;
  }
}

Reply ask(const Request& request, const HttpOptions& options, int64_t max_bytes) {
  Reply reply;
  try_again(request.url, options, [&]() -> Failure {
    reply.body.clear();
    reply.answer = send(request, options, [&](const Answer&, std::string_view piece) {
      reply.body += piece;
      require(static_cast<int64_t>(reply.body.size()) <= max_bytes, request.url,
              ": larger than the limit of ", max_bytes, " bytes");
    });
    const Answer& answer = reply.answer;
    const bool redirect = !request.follow && answer.status / 100 == 3 && !answer.location.empty();
    const bool fit = answer.status == 200 || answer.status == 404 || redirect;
    return answer.failure.empty() && fit ? Failure() : failure_of(answer, options);
  });
  return reply;
}

}  // namespace clipnext::net

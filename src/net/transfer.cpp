#include "net/transfer.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/text_lines.h"
#include "net/curl.h"

namespace clipnext::net {
namespace {

constexpr size_t kMaxHeaders = 200;

struct Running {
  CURL* handle = nullptr;
  Answer answer;
  const std::function<void(const Answer&, std::string_view)>* receive = nullptr;
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

int on_tick(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return interrupted() ? 1 : 0; }

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

void configure(Handle& handle, const std::string& url, const HttpOptions& options,
               const std::vector<std::string>& headers) {
  // Nothing but the web, and nothing in the clear that was to be encrypted.
  const char* protocols = url.starts_with("https:") ? "https" : "http,https";
  handle.set(CURLOPT_URL, url.c_str());
  handle.set(CURLOPT_PROTOCOLS_STR, protocols);
  handle.set(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
  handle.set(CURLOPT_FOLLOWLOCATION, 1L);
  handle.set(CURLOPT_MAXREDIRS, 10L);
  handle.set(CURLOPT_NOSIGNAL, 1L);
  handle.set(CURLOPT_USERAGENT, "clipnext");
  handle.set(CURLOPT_CONNECTTIMEOUT, 30L);
  handle.set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  handle.set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(options.stall_s)));
  handle.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  for (const std::string& header : options.headers) handle.add(header);
  for (const std::string& header : headers) handle.add(header);
  handle.set(CURLOPT_HTTPHEADER, handle.headers);
  handle.set(CURLOPT_HEADERFUNCTION, &on_header);
  handle.set(CURLOPT_WRITEFUNCTION, &on_body);
  handle.set(CURLOPT_NOPROGRESS, 0L);
  handle.set(CURLOPT_XFERINFOFUNCTION, &on_tick);
}

void wait(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    throw_if_interrupted();
    std::this_thread::sleep_for(
        std::min<std::chrono::duration<double>>(end - Clock::now(), std::chrono::milliseconds(50)));
  }
}

}  // namespace

std::string Answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

Answer get(const std::string& url, const HttpOptions& options,
           const std::vector<std::string>& headers,
           const std::function<void(const Answer&, std::string_view)>& receive) {
  throw_if_interrupted();
  Handle handle;
  configure(handle, url, options, headers);
  char reason[CURL_ERROR_SIZE] = "";
  handle.set(CURLOPT_ERRORBUFFER, static_cast<char*>(reason));
  Running running;
  running.handle = handle.easy;
  running.receive = &receive;
  handle.set(CURLOPT_HEADERDATA, &running);
  handle.set(CURLOPT_WRITEDATA, &running);
  const CURLcode code = handle.curl.easy_perform(handle.easy);
  throw_if_interrupted();
  if (running.thrown) std::rethrow_exception(running.thrown);
  long status = 0;
  handle.curl.easy_getinfo(handle.easy, CURLINFO_RESPONSE_CODE, &status);
  running.answer.status = status;
  if (code != CURLE_OK) {
    running.answer.failure = reason[0] != '\0' ? reason : handle.curl.easy_strerror(code);
  }
  return std::move(running.answer);
}

std::string describe(const Answer& answer) {
  if (answer.failure.empty()) return "HTTP status " + std::to_string(answer.status);
  return answer.failure;
}

void try_again(const std::string& url, const HttpOptions& options,
               const std::function<std::string()>& attempt) {
  double pause = options.first_wait_s;
  for (int tried = 1;; ++tried) {
    const std::string failure = attempt();
    if (failure.empty()) return;
    require(tried < options.tries, url, ": ", failure, " (tried ", tried, " times)");
    wait(pause);
    pause *= 2;
  }
}

}  // namespace clipnext::net

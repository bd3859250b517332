// For tests only: a web server on this machine that misbehaves as it is told.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace clipnext::net {

struct TestRequest {
  std::string method;                          // "GET", "HEAD"
  std::string path;                            // "/a/b.txt"
  std::map<std::string, std::string> headers;  // names in lower case
};

struct TestAnswer {
  int status = 200;
  std::vector<std::string> headers = {};  // "Name: value"; Content-Length comes by itself
  std::string body = {};
  /// Closes the connection after so many bytes of the body; -1: sends all.
  int64_t cut_after = -1;
  /// Sends the body no faster; 0: as fast as it can.
  int64_t bytes_per_second = 0;
};

/// The answer for a file that may be asked for in part, as RFC 9110 has it. `etag` with its quotes.
inline TestAnswer serve_file(const TestRequest& request, const std::string& content,
                             const std::string& etag) {
  TestAnswer answer{.status = 200, .headers = {"ETag: " + etag}, .body = content};
  const auto range = request.headers.find("range");
  const auto condition = request.headers.find("if-range");
  if (range == request.headers.end()) return answer;
  if (condition != request.headers.end() && condition->second != etag) return answer;
  const std::string asked = range->second.substr(sizeof("bytes=") - 1);
  const size_t from = std::stoull(asked);
  const std::string last = asked.substr(asked.find('-') + 1);
  const size_t end =
      last.empty() ? content.size() : std::min<size_t>(std::stoull(last) + 1, content.size());
  const std::string total = std::to_string(content.size());
  if (from >= content.size()) {
    return {.status = 416, .headers = {"Content-Range: bytes */" + total}, .body = ""};
  }
  answer.status = 206;
  answer.headers.push_back("Content-Range: bytes " + std::to_string(from) + "-" +
                           std::to_string(end - 1) + "/" + total);
  answer.body = content.substr(from, end - from);
  return answer;
}

/// Answers each request by `answer` until it is destroyed: one after another, or with `parallel`
/// each in a thread of its own (`answer` is still called by one at a time).
class TestServer {
 public:
  using Answerer = std::function<TestAnswer(const TestRequest&)>;

  explicit TestServer(Answerer answer, bool parallel = false)
      : answer_(std::move(answer)), parallel_(parallel) {
    setenv("no_proxy", "127.0.0.1", 1);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || bind(listener_, plain, size) != 0 || listen(listener_, 16) != 0 ||
        getsockname(listener_, plain, &size) != 0) {
      throw std::runtime_error("no test server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~TestServer() {
    stop_ = true;
    thread_.join();
    for (std::thread& thread : conversations_) thread.join();
    close(listener_);
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::string url(const std::string& path = "") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  /// The requests so far.
  std::vector<TestRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /// Bytes of bodies that were given to the system to send, over all requests.
  int64_t bytes_served() const { return bytes_served_; }
  size_t requests_for(const std::string& path) const {
    size_t count = 0;
    for (const TestRequest& request : requests()) count += request.path == path ? 1 : 0;
    return count;
  }

 private:
  void run() {
    while (!stop_) {
      pollfd ready{.fd = listener_, .events = POLLIN, .revents = 0};
      if (poll(&ready, 1, 20) <= 0) continue;
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      if (parallel_) {
        conversations_.emplace_back([this, connection] { converse(connection); });
      } else {
        converse(connection);
      }
    }
  }

  void converse(int connection) {
    answer_one(connection);
    shutdown(connection, SHUT_RDWR);
    close(connection);
  }

  void answer_one(int connection) {
    std::string text;
    char chunk[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = recv(connection, chunk, sizeof chunk, 0);
      if (count <= 0) return;
      text.append(chunk, static_cast<size_t>(count));
    }
    const TestRequest request = parse(text);
    TestAnswer answer;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    {
      const std::lock_guard lock(answer_mutex_);
      answer = answer_(request);
    }
    std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " x\r\nConnection: close\r\n";
    out += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    for (const std::string& header : answer.headers) out += header + "\r\n";
    if (!send_all(connection, out + "\r\n") || request.method == "HEAD") return;
    std::string_view body = answer.body;
    if (answer.cut_after >= 0) body = body.substr(0, static_cast<size_t>(answer.cut_after));
    send_body(connection, body, answer.bytes_per_second);
  }

  static bool send_all(int connection, std::string_view rest) {
    while (!rest.empty()) {
      const ssize_t count = send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      rest.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  void send_body(int connection, std::string_view body, int64_t bytes_per_second) {
    const size_t piece =
        bytes_per_second > 0 ? static_cast<size_t>(bytes_per_second / 100 + 1) : size_t{1} << 16;
    for (; !body.empty() && !stop_; body.remove_prefix(std::min(piece, body.size()))) {
      const std::string_view now = body.substr(0, piece);
      // Before they go: whoever has them all finds them counted.
      bytes_served_ += static_cast<int64_t>(now.size());
      if (!send_all(connection, now)) return;
      if (bytes_per_second > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  static TestRequest parse(const std::string& text) {
    TestRequest request;
    const size_t path = text.find(' ') + 1;
    request.method = text.substr(0, path - 1);
    request.path = text.substr(path, text.find(' ', path) - path);
    for (size_t at = text.find("\r\n") + 2; text.compare(at, 2, "\r\n") != 0;) {
      const size_t end = text.find("\r\n", at);
      const size_t colon = text.find(':', at);
      std::string name = text.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      request.headers[name] = text.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    return request;
  }

  Answerer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::mutex answer_mutex_;
  std::vector<TestRequest> requests_;
  std::atomic<int64_t> bytes_served_{0};
  bool parallel_ = false;
  std::vector<std::thread> conversations_;  // the listening thread's
  std::thread thread_;
};

}  // namespace clipnext::net

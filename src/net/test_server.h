// For tests only: a web server on this machine that misbehaves as it is told.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
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
  std::string path;                            // "/a/b.txt"
  std::map<std::string, std::string> headers;  // names in lower case
};

struct TestAnswer {
  int status = 200;
  std::vector<std::string> headers = {};  // "Name: value"; Content-Length comes by itself
  std::string body = {};
  /// Closes the connection after so many bytes of the body; -1: sends all.
  int64_t cut_after = -1;
};

/// The answer for a file that may be asked for in part, as RFC 9110 has it. `etag` with its quotes.
inline TestAnswer serve_file(const TestRequest& request, const std::string& content,
                             const std::string& etag) {
  TestAnswer answer{.status = 200, .headers = {"ETag: " + etag}, .body = content};
  const auto range = request.headers.find("range");
  const auto condition = request.headers.find("if-range");
  if (range == request.headers.end()) return answer;
  if (condition != request.headers.end() && condition->second != etag) return answer;
  const size_t from = std::stoull(range->second.substr(sizeof("bytes=") - 1));
  const std::string total = std::to_string(content.size());
  if (from >= content.size()) {
    return {.status = 416, .headers = {"Content-Range: bytes */" + total}, .body = ""};
  }
  answer.status = 206;
  answer.headers.push_back("Content-Range: bytes " + std::to_string(from) + "-" +
                           std::to_string(content.size() - 1) + "/" + total);
  answer.body = content.substr(from);
  return answer;
}

/// Answers each request by `answer`, one after another, until it is destroyed.
class TestServer {
 public:
  using Answerer = std::function<TestAnswer(const TestRequest&)>;

  explicit TestServer(Answerer answer) : answer_(std::move(answer)) {
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
      converse(connection);
      close(connection);
    }
  }

  void converse(int connection) {
    std::string text;
    char chunk[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = recv(connection, chunk, sizeof chunk, 0);
      if (count <= 0) return;
      text.append(chunk, static_cast<size_t>(count));
    }
    const TestRequest request = parse(text);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const TestAnswer answer = answer_(request);
    std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " x\r\nConnection: close\r\n";
    out += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    for (const std::string& header : answer.headers) out += header + "\r\n";
    out += "\r\n" + answer.body.substr(0, answer.cut_after < 0
                                              ? std::string::npos
                                              : static_cast<size_t>(answer.cut_after));
    for (std::string_view rest = out; !rest.empty();) {
      const ssize_t count = send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      rest.remove_prefix(static_cast<size_t>(count));
    }
  }

  static TestRequest parse(const std::string& text) {
    TestRequest request;
    const size_t path = text.find(' ') + 1;
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
  std::vector<TestRequest> requests_;
  std::thread thread_;
};

}  // namespace clipnext::net

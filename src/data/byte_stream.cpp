#include "data/byte_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/child_process.h"

namespace clipnext::data {
namespace {

// Waits for bytes, so that Ctrl-C is heard while none come, and the reader who wants no more.
void wait_readable(int fd, StopFlag stop) {
  constexpr int kPatience_ms = 200;
  while (true) {
    throw_if_stopped(stop);
    pollfd waiting = {.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = poll(&waiting, 1, kPatience_ms);
    if (ready != 0 && !(ready < 0 && errno == EINTR)) return;  // an error shows when it is read
  }
}

size_t read_some(int fd, std::span<char> out, StopFlag stop) {
  while (true) {
    wait_readable(fd, stop);
    const ssize_t count = ::read(fd, out.data(), out.size());
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) fail("cannot be read: ", std::strerror(errno));
  }
}

class FileStream : public ByteStream {
 public:
  FileStream(const std::string& path, StopFlag stop)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)), stop_(stop) {
    require(fd_ >= 0, "cannot be opened: ", std::strerror(errno));
    // In order and once: the system may read ahead.
    static_cast<void>(posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL));
  }
  ~FileStream() override { close(fd_); }
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;

  size_t read(std::span<char> out) override { return read_some(fd_, out, stop_); }
  void finish() override {}

 private:
  int fd_;
  StopFlag stop_;
};

class StandardInput : public ByteStream {
 public:
  explicit StandardInput(StopFlag stop) : stop_(stop) {
    static std::atomic<bool> taken = false;
    require(!taken.exchange(true), "standard input can be read only once");
  }
  size_t read(std::span<char> out) override { return read_some(STDIN_FILENO, out, stop_); }
  void finish() override {}

 private:
  StopFlag stop_;
};

class CommandStream : public ByteStream {
 public:
  CommandStream(const std::vector<std::string>& command, std::vector<int> accepted, StopFlag stop)
      : child_(command), accepted_(std::move(accepted)), stop_(stop) {}

  size_t read(std::span<char> out) override {
    if (child_.output() < 0) return 0;
    const size_t count = read_some(child_.output(), out, stop_);
    if (count == 0) finish();
    return count;
  }

  void finish() override {
    if (child_.output() < 0) return;
    const int status = child_.wait(stop_);
    for (const int fine : accepted_) {
      if (status == fine) return;
    }
    fail("its command failed with exit status ", status,
         status == 127 ? " (program not found)" : "");
  }

 private:
  ChildProcess child_;
  std::vector<int> accepted_;
  StopFlag stop_;
};

constexpr int kClosedPipe = 128 + 13;  // as a shell reports SIGPIPE
constexpr int kCurlWriteError = 23;

std::string scheme_of(const std::string& url) {
  std::string scheme;
  for (const char c : url) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter = upper || (c >= 'a' && c <= 'z');
    const bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    if (c == ':') return scheme;
    if (!letter && (!other || scheme.empty())) break;
    scheme += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return {};
}

// RFC 8089: file:/a, file:///a and file://host/a are /a.
std::string path_of_file_url(std::string_view url) {
  std::string_view path = url.substr(std::string_view("file:").size());
  if (path.starts_with("//")) {
    const size_t slash = path.find('/', 2);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  }
  return std::string(path);
}

std::vector<std::string> curl_command(const std::string& url) {
  return {"curl",          "-f", "-s", "-L", "--connect-timeout", "30", "--retry", "30",
          "--retry-delay", "2",  "--", url};
}

}  // namespace

std::unique_ptr<ByteStream> open_shard(const std::string& url, StopFlag stop) {
  const auto output_of = [stop](const std::vector<std::string>& command,
                                std::vector<int> accepted) {
    return std::make_unique<CommandStream>(command, std::move(accepted), stop);
  };
  if (url == "-") return std::make_unique<StandardInput>(stop);
  const std::string scheme = scheme_of(url);
  if (scheme.empty()) return std::make_unique<FileStream>(url, stop);
  if (scheme == "file") return std::make_unique<FileStream>(path_of_file_url(url), stop);
  if (scheme == "pipe") {
    const std::string command = url.substr(std::string_view("pipe:").size());
    return output_of({"/bin/sh", "-c", command}, {0, kClosedPipe});
  }
  const std::vector<int> accepted = {0, kClosedPipe, kCurlWriteError};
  for (const char* known : {"http", "https", "ftps", "sftp", "scp"}) {
    if (scheme == known) return output_of(curl_command(url), accepted);
  }
  if (scheme == "gs") return output_of({"gsutil", "cat", url}, accepted);
  fail("shards at ", scheme, ": cannot be opened; name a program that prints them, such as \"pipe:",
       scheme == "s3" ? "aws s3 cp " + url + " -" : "COMMAND", "\"");
}

}  // namespace clipnext::data

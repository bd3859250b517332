#include "run/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/python_json.h"
#include "run/console.h"

namespace clipnext::run {
namespace {

// Where the last whole line ends.
off_t end_of_lines(int fd, const std::string& name) {
  off_t at = lseek(fd, 0, SEEK_END);
  std::array<char, 4096> block{};
  while (at > 0) {
    const auto size = std::min<off_t>(at, static_cast<off_t>(block.size()));
    const ssize_t count = pread(fd, block.data(), static_cast<size_t>(size), at - size);
    require(count == size, name, ": cannot read: ", std::strerror(errno));
    for (off_t i = size; i > 0; --i) {
      if (block[static_cast<size_t>(i - 1)] == '\n') return at - size + i;
    }
    at -= size;
  }
  return 0;
}

void write_whole(int fd, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, name, ": cannot write: ", std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(count));
  }
}

// The text up to the end of its last line.
std::string_view whole_lines(std::string_view text) {
  return text.substr(0, text.rfind('\n') + 1);  // npos + 1 is 0
}

template <class F>
void each_line(std::string_view text, const F& line) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    if (end > 0) line(text.substr(0, end), number);
    text.remove_prefix(end + 1);
  }
}

std::string read_if_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? read_file(path) : std::string();
}

}  // namespace

LineFile::LineFile(std::filesystem::path path, bool sync, TornLine torn)
    : path_(std::move(path)), sync_(sync) {
  fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0666);
  require(fd_ >= 0, path_.string(), ": cannot open: ", std::strerror(errno));
  try {
    const off_t end = end_of_lines(fd_, path_.string());
    if (end != lseek(fd_, 0, SEEK_END)) {
      if (torn == TornLine::kEnd) {
        write_whole(fd_, "\n", path_.string());
      } else {
        require(ftruncate(fd_, end) == 0, path_.string(),
                ": cannot shorten: ", std::strerror(errno));
      }
    }
  } catch (...) {
    close(fd_);
    throw;
  }
}

LineFile::~LineFile() { close(fd_); }

void LineFile::append(std::string_view line) {
  const off_t before = lseek(fd_, 0, SEEK_END);
  try {
    write_whole(fd_, std::string(line) + "\n", path_.string());
    if (sync_) require(fsync(fd_) == 0, path_.string(), ": cannot write: ", std::strerror(errno));
  } catch (const Error&) {
    // What cannot be taken back either is found torn when the file is opened again.
    if (ftruncate(fd_, before) != 0) errno = 0;
    throw;
  }
}

std::vector<OrderedJson> read_json_lines(const std::filesystem::path& path) {
  std::vector<OrderedJson> objects;
  const std::string text = read_if_there(path);
  each_line(whole_lines(text), [&](std::string_view line, size_t number) {
    objects.push_back(parse_python_json(line, path.string() + ", line " + std::to_string(number)));
  });
  return objects;
}

void keep_json_lines(const std::filesystem::path& path,
                     const std::function<bool(const OrderedJson&)>& keep) {
  const std::string text = read_if_there(path);
  std::string kept;
  each_line(whole_lines(text), [&](std::string_view line, size_t number) {
    const std::string source = path.string() + ", line " + std::to_string(number);
    if (keep(parse_python_json(line, source))) (kept += line) += "\n";
  });
  if (kept != text) write_file(path, kept);
}

RunLog::RunLog(const std::filesystem::path& path, bool debug, bool quiet)
    : file_(path.empty() ? nullptr : std::make_unique<LineFile>(path, false, TornLine::kEnd)),
      debug_(debug),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) != 0) {}

void RunLog::debug(std::string_view message) {
  if (debug_) write("DEBUG", message);
}

void RunLog::write(std::string_view level, std::string_view message) {
  const std::string line = log_prefix(level, std::time(nullptr)) + std::string(message);
  const std::lock_guard lock(mutex_);
  if (file_) file_->append(line);
  if (!quiet_) {
    std::fprintf(stderr, "%s%s\n", terminal_ ? "\r\033[K" : "", line.c_str());
    std::fflush(stderr);
  }
}

}  // namespace clipnext::run

#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace clipnext {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

// Reads a descriptor to its end.
std::string read_all(int fd, const std::string& name, int64_t max_bytes) {
  std::string content;
  char chunk[1 << 16];
  while (true) {
    const ssize_t count = read(fd, chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, name, ": ", std::strerror(errno));
    if (count == 0) return content;
    content.append(chunk, static_cast<size_t>(count));
    require(static_cast<int64_t>(content.size()) <= max_bytes, name, ": larger than the limit of ",
            max_bytes, " bytes");
  }
}

void write_all(int fd, const char* data, size_t size, const std::string& name) {
  while (size > 0) {
    const ssize_t count = ::write(fd, data, size);
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, name, ": cannot write: ", std::strerror(errno));
    data += count;
    size -= static_cast<size_t>(count);
  }
}

}  // namespace

std::string read_file(const std::filesystem::path& path, int64_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(fd >= 0, path.string(), ": ", std::strerror(errno));
  try {
    std::string content = read_all(fd, path.string(), max_bytes);
    close(fd);
    return content;
  } catch (...) {
    close(fd);
    throw;
  }
}

std::string read_stdin(int64_t max_bytes) {
  return read_all(STDIN_FILENO, "standard input", max_bytes);
}

FileWriter::FileWriter(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<int> counter{0};
  temporary_ = path_;
  temporary_ += ".tmp." + std::to_string(getpid()) + "." + std::to_string(counter++);
  fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  require(fd_ >= 0, path_.string(), ": cannot create: ", std::strerror(errno));
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

void FileWriter::flush() {
  write_all(fd_, buffer_.data(), buffer_.size(), path_.string());
  buffer_.clear();
}

void FileWriter::write(const void* data, size_t size) {
  size_ += static_cast<int64_t>(size);
  if (size >= kBufferBytes) {
    flush();
    write_all(fd_, static_cast<const char*>(data), size, path_.string());
    return;
  }
  buffer_.append(static_cast<const char*>(data), size);
  if (buffer_.size() >= kBufferBytes) flush();
}

void FileWriter::rewrite(int64_t offset, const void* data, size_t size) {
  flush();
  const ssize_t count = pwrite(fd_, data, size, offset);
  require(count == static_cast<ssize_t>(size), path_.string(),
          ": cannot write: ", std::strerror(errno));
}

void FileWriter::commit() {
  flush();
  require(fsync(fd_) == 0, path_.string(), ": cannot write: ", std::strerror(errno));
  require(close(fd_) == 0, path_.string(), ": cannot write: ", std::strerror(errno));
  fd_ = -1;
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(temporary_.c_str());
    fail(path_.string(), ": cannot rename into place: ", std::strerror(error));
  }
  // The rename itself must survive a power cut.
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const int folder_fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    fsync(folder_fd);
    close(folder_fd);
  }
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  FileWriter writer(path);
  writer.write(content);
  writer.commit();
}

}  // namespace clipnext

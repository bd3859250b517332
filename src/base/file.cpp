#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace clipnext {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

// Reads a descriptor to its end.
std::string read_all(int fd, const std::string& name, int64_t max_bytes) {
  std::string content;
  char chunk[1 << 16];
  while (true) {
    const ssize_t count = read(fd, chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) {
      throw_if_interrupted();
      continue;
    }
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

// The temporary names that exist now, for a signal handler: a pointer is set and cleared in one
// piece, and what it points to lives as long as it is set.
std::array<std::atomic<const char*>, 64> temporary_names{};

int publish(const char* name) {
  for (size_t i = 0; i < temporary_names.size(); ++i) {
    const char* free = nullptr;
    if (temporary_names[i].compare_exchange_strong(free, name)) return static_cast<int>(i);
  }
  return -1;
}

void withdraw(int slot) {
  if (slot >= 0) temporary_names[static_cast<size_t>(slot)] = nullptr;
}

}  // namespace

void remove_temporary_files() noexcept {
  for (const auto& slot : temporary_names) {
    if (const char* name = slot.load()) unlink(name);
  }
}

std::string read_file(const std::filesystem::path& path, int64_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == EINTR) throw_if_interrupted();  // a pipe nobody writes to
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
  static bool was_read = false;
  require(!was_read, "standard input is asked for twice, and can be read once");
  was_read = true;
  return read_all(STDIN_FILENO, "standard input", max_bytes);
}

FileWriter::FileWriter(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<int> counter{0};
  do {  // a process of the same number may have been killed while it wrote here
    temporary_ = path_;
    temporary_ += ".tmp." + std::to_string(getpid()) + "." + std::to_string(counter++);
    fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && errno == EEXIST);
  require(fd_ >= 0, path_.string(), ": cannot create: ", std::strerror(errno));
  slot_ = publish(temporary_.c_str());
  struct stat target {};
  if (stat(path_.c_str(), &target) == 0 && S_ISDIR(target.st_mode)) {
    discard();
    fail(path_.string(), ": is a folder, not a file");
  }
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) discard();
}

void FileWriter::discard() {
  close(fd_);
  fd_ = -1;
  unlink(temporary_.c_str());
  withdraw(slot_);
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

void FileWriter::commit() {
  flush();
  require(fsync(fd_) == 0, path_.string(), ": cannot write: ", std::strerror(errno));
  const bool closed = close(std::exchange(fd_, -1)) == 0;
  if (!closed) {
    const int error = errno;
    unlink(temporary_.c_str());
    withdraw(slot_);
    fail(path_.string(), ": cannot write: ", std::strerror(error));
  }
  const bool renamed = rename(temporary_.c_str(), path_.c_str()) == 0;
  const int error = errno;
  if (!renamed) unlink(temporary_.c_str());
  withdraw(slot_);
  if (!renamed) {
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

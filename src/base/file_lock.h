// A lock between processes that lives in a file.
#pragma once

#include <filesystem>

namespace clipnext {

/// Holds flock(2) on a file, which is created if need be, from construction to destruction. The
/// file then still has that name: if it was renamed or removed while the lock was waited for, the
/// one that is there now is locked. On a file system without locks it locks nothing. Throws Error
/// if the file cannot be created, and Interrupted.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// Open for reading and writing.
  int descriptor() const { return fd_; }

 private:
  bool open_and_lock(const std::filesystem::path& path);

  int fd_ = -1;
};

}  // namespace clipnext

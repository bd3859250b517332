#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"

namespace clipnext {

FileLock::FileLock(const std::filesystem::path& path) {
  try {
    while (!open_and_lock(path)) {
    }
  } catch (...) {
    if (fd_ >= 0) close(fd_);
    throw;
  }
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

// False if what was locked no longer has that name.
bool FileLock::open_and_lock(const std::filesystem::path& path) {
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  require(fd_ >= 0, path.string(), ": cannot create: ", std::strerror(errno));
  while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) break;  // no locks on this file system
    throw_if_interrupted();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  struct stat mine {};
  struct stat named {};
  if (fstat(fd_, &mine) == 0 && stat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
      mine.st_dev == named.st_dev) {
    return true;
  }
  close(fd_);
  fd_ = -1;
  return false;
}

}  // namespace clipnext

#include "base/folder_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace clipnext {
namespace {

namespace fs = std::filesystem;

void flush_folder(const fs::path& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

// A symbolic link stays one: the folder that it names is what is written.
fs::path target_of(const fs::path& path) {
  std::error_code error;
  fs::path full = fs::weakly_canonical(fs::absolute(path, error), error);
  require(!error, path.string(), ": ", error.message());
  if (!full.has_filename()) full = full.parent_path();
  return full;
}

// Two names for one another in one step; where the file system cannot, in two.
void exchange(const fs::path& a, const fs::path& b) {
  if (renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return;
  require(errno == EINVAL || errno == ENOSYS || errno == ENOTSUP, b.string(),
          ": cannot be replaced: ", std::strerror(errno));
  fs::path aside = a;
  aside += ".old";
  const bool moved = std::rename(b.c_str(), aside.c_str()) == 0 &&
                     std::rename(a.c_str(), b.c_str()) == 0 &&
                     std::rename(aside.c_str(), a.c_str()) == 0;
  require(moved, b.string(), ": cannot be replaced: ", std::strerror(errno), "; look for ",
          aside.string(), " and ", a.string());
}

}  // namespace

FolderWriter::FolderWriter(const fs::path& path) : path_(target_of(path)) {
  static std::atomic<int> counter{0};
  std::error_code error;
  require(!fs::exists(path_, error) || fs::is_directory(path_, error), path.string(),
          ": is a file, not a folder");
  fs::create_directories(path_.parent_path(), error);
  require(!error, path.string(), ": cannot make the folder it is in: ", error.message());
  temporary_ = path_;
  temporary_ += ".tmp." + std::to_string(getpid()) + "." + std::to_string(counter++);
  const bool made = fs::create_directory(temporary_, error);
  require(!error && made, path.string(), ": cannot write beside it: ",
          error ? error.message() : temporary_.string() + " is there already");
}

FolderWriter::~FolderWriter() {
  std::error_code ignored;
  if (!done_) fs::remove_all(temporary_, ignored);
}

void FolderWriter::commit(const std::vector<std::string>& stale) {
  flush_folder(temporary_);
  if (std::rename(temporary_.c_str(), path_.c_str()) !=
      0) {  // a folder that is empty is no hindrance
    require(errno == ENOTEMPTY || errno == EEXIST, path_.string(),
            ": cannot rename into place: ", std::strerror(errno));
    replace(stale);
  }
  done_ = true;
  flush_folder(path_.parent_path());
}

void FolderWriter::replace(const std::vector<std::string>& stale) {
  exchange(temporary_, path_);
  done_ = true;  // temporary_ is the old one now, and holds what may be somebody's
  std::error_code error;
  std::vector<fs::path> others;
  for (fs::directory_iterator it(temporary_, error), end; !error && it != end;
       it.increment(error)) {
    const fs::path name = it->path().filename();
    const bool is_stale = std::find(stale.begin(), stale.end(), name.string()) != stale.end();
    if (!is_stale && !fs::exists(path_ / name)) others.push_back(it->path());
  }
  for (const fs::path& other : others) {
    require(!error, temporary_.string(), ": ", error.message());
    fs::rename(other, path_ / other.filename(), error);
  }
  require(!error, path_.string(),
          ": is written, but not all of what was in it could be kept: ", error.message(),
          "; it is in ", temporary_.string());
  fs::remove_all(temporary_, error);
}

}  // namespace clipnext

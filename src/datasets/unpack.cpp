#include "datasets/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "base/checked.h"
#include "base/content_hash.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/mapped_file.h"
#include "base/progress.h"
#include "datasets/places.h"
#include "weights/zip.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

// One file being written.
class OutputFile {
 public:
  explicit OutputFile(fs::path path)
      : path_(std::move(path)),
        fd_(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)) {
    require(fd_ >= 0, path_.string(), ": ", std::strerror(errno));
  }
  ~OutputFile() { close(fd_); }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* data, size_t size) const {
    const char* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t count = ::write(fd_, bytes, size);
      if (count < 0 && errno == EINTR) continue;
      require(count >= 0, path_.string(), ": cannot write: ", std::strerror(errno));
      bytes += count;
      size -= static_cast<size_t>(count);
    }
  }

 private:
  fs::path path_;
  int fd_;
};

// A folder under a temporary name, which becomes the real one or goes away.
class Target {
 public:
  Target(const fs::path& archive, fs::path folder, const UnpackLimits& limits)
      : archive_(archive.string()),
        folder_(std::move(folder)),
        limits_(limits),
        progress_("unpacking " + archive.filename().string(), 0, "files") {
    std::error_code error;
    fs::create_directories(folder_.parent_path(), error);
    require(!error, folder_.parent_path().string(), ": ", error.message());
    std::string name = folder_.string() + ".part-XXXXXX";
    require(mkdtemp(name.data()) != nullptr, name, ": ", std::strerror(errno));
    temporary_ = name;
  }
  ~Target() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // The path of a member, its folder made.
  fs::path place(const std::string& name) {
    throw_if_interrupted();
    require(++files_ <= limits_.files, archive_, ": more than ", limits_.files, " files");
    fs::path path = path_inside(temporary_, name, archive_);
    if (path.parent_path() != last_parent_) {
      std::error_code error;
      fs::create_directories(path.parent_path(), error);
      require(!error, archive_, ": member ", name, ": ", error.message());
      last_parent_ = path.parent_path();
    }
    progress_.add();
    return path;
  }

  void count_bytes(int64_t bytes) {
    bytes_ = checked_add(bytes_, bytes, "unpacked bytes");
    require(bytes_ <= limits_.bytes, archive_, ": unpacks to more than ", limits_.bytes, " bytes");
  }

  void commit() {
    progress_.finish();
    const int fd = open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = fd >= 0 && syncfs(fd) == 0;
    if (fd >= 0) close(fd);
    require(synced, temporary_.string(), ": cannot write to disk: ", std::strerror(errno));
    chmod(temporary_.c_str(), 0755);  // mkdtemp lets nobody else in
    std::error_code error;
    fs::rename(temporary_, folder_, error);
    if (!error) {
      temporary_.clear();
      return;
    }
    // Another process was faster; ours goes away.
    require(fs::is_directory(folder_), folder_.string(), ": ", error.message());
  }

 private:
  std::string archive_;
  fs::path folder_, temporary_, last_parent_;
  UnpackLimits limits_;
  Progress progress_;
  int64_t files_ = 0;
  int64_t bytes_ = 0;
};

struct ArchiveDeleter {
  void operator()(struct archive* handle) const { archive_read_free(handle); }
};

[[noreturn]] void fail_with(struct archive* handle, const fs::path& path) {
  const char* reason = archive_error_string(handle);
  fail(path.string(), ": ", reason != nullptr ? reason : "not a readable tar archive");
}

void unpack_member(struct archive* handle, struct archive_entry* entry, const fs::path& path,
                   Target& target) {
  const char* name = archive_entry_pathname(entry);
  require(name != nullptr, path.string(), ": a member without a readable name");
  const OutputFile file(target.place(name));
  char chunk[1 << 16];
  int64_t size = 0;
  while (true) {
    const la_ssize_t count = archive_read_data(handle, chunk, sizeof chunk);
    if (count < 0) fail_with(handle, path);
    if (count == 0) break;
    target.count_bytes(count);
    file.write(chunk, static_cast<size_t>(count));
    size += count;
  }
  require(size == archive_entry_size(entry), path.string(), ": member ", name, " is cut short");
}

void unpack_tar(const fs::path& path, Target& target) {
  const std::unique_ptr<struct archive, ArchiveDeleter> handle(archive_read_new());
  require(handle != nullptr, path.string(), ": out of memory");
  archive_read_support_format_tar(handle.get());
  archive_read_support_filter_gzip(handle.get());
  archive_read_support_filter_zstd(handle.get());
  if (archive_read_open_filename(handle.get(), path.c_str(), 1 << 16) != ARCHIVE_OK) {
    fail_with(handle.get(), path);
  }
  while (true) {
    struct archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle.get(), &entry);
    if (status == ARCHIVE_EOF) return;
    if (status < ARCHIVE_WARN) fail_with(handle.get(), path);
    const bool regular =
        archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
    if (regular) unpack_member(handle.get(), entry, path, target);
  }
}

void unpack_zip(const fs::path& path, Target& target) {
  const auto file = std::make_shared<const MappedFile>(path);
  const weights::Source source{file->bytes(), file, path.string()};
  for (const auto& [name, record] : weights::list_zip(source)) {
    if (name.ends_with('/')) continue;  // a folder
    target.count_bytes(record.size);
    const weights::ZipContent content = weights::zip_content(record, source, name);
    weights::check_crc(record, content.bytes, path.string() + ": zip record " + name);
    OutputFile(target.place(name)).write(content.bytes.data(), content.bytes.size());
  }
}

bool ends_like_zip(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return extension == ".zip";
}

}  // namespace

fs::path unpack_archive(const fs::path& archive, const fs::path& cache,
                        const UnpackLimits& limits) {
  struct stat status {};
  const fs::path whole = fs::absolute(archive).lexically_normal();
  require(stat(whole.c_str(), &status) == 0, archive.string(), ": ", std::strerror(errno));
  require(S_ISREG(status.st_mode), archive.string(),
          ": expected an archive, found no regular file");
  require(!cache.empty(), archive.string(),
          ": has to be unpacked, and there is no cache folder to "
          "unpack it into; unpack it, or set CLIPNEXT_CACHE");
  const std::string identity = whole.string() + "\n" + std::to_string(status.st_size) + "\n" +
                               std::to_string(status.st_mtim.tv_sec) + "." +
                               std::to_string(status.st_mtim.tv_nsec);
  fs::path folder =
      cache / "unpacked" / (whole.filename().string() + "-" + hash_text(identity).hex());
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return folder;
  Target target(archive, folder, limits);
  if (ends_like_zip(whole)) {
    unpack_zip(whole, target);
  } else {
    unpack_tar(whole, target);
  }
  target.commit();
  return folder;
}

}  // namespace clipnext::datasets

// A file that arrives in pieces: RFC 9110's ranges, and what is kept between them.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "net/http.h"
#include "net/transfer.h"

namespace clipnext::net {
namespace {

namespace fs = std::filesystem;

int64_t parse_size(std::string_view text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

/// "bytes 100-199/1234", "bytes */1234" or "bytes 100-199/*"; -1 for what is not there.
struct ContentRange {
  int64_t first = -1;
  int64_t total = -1;
};

ContentRange parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return {};
  text.remove_prefix(6);
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const size_t dash = text.substr(0, slash).find('-');
  return {.first = dash == std::string_view::npos ? -1 : parse_size(text.substr(0, dash)),
          .total = parse_size(text.substr(slash + 1))};
}

/// What tells this file from a later one under the same URL. A weak tag does not (RFC 9110, 8.8.1),
/// nor surely a date: without a strong tag there is nothing to go on from.
std::string validator(const Answer& answer) {
  const std::string tag = answer.header("etag");
  return tag.size() > 2 && tag.starts_with('"') && tag.ends_with('"') ? tag : "";
}

fs::path with_suffix(fs::path path, const char* suffix) {
  path += suffix;
  return path;
}

/// PATH.part, of which this process is the only writer while the object lives.
class PartialFile {
 public:
  explicit PartialFile(const fs::path& path)
      : path_(path), part_(with_suffix(path, ".part")), origin_(with_suffix(path, ".part.json")) {
    while (!open_and_lock()) {
    }
  }
  ~PartialFile() { close(); }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  /// What has arrived, and is still the beginning of the file with that tag.
  int64_t size() const { return size_; }
  const std::string& tag() const { return tag_; }

  /// Finds out what an earlier process left.
  void recall(const std::string& url) {
    struct stat status {};
    require(fstat(fd_, &status) == 0, part_.string(), ": ", std::strerror(errno));
    try {
      const Json json = parse_json(read_file(origin_, 1 << 16), origin_.string());
      if (json.at("url").get<std::string>() == url) tag_ = json.at("etag").get<std::string>();
    } catch (const std::exception&) {
      tag_.clear();  // nothing is known of what lies there
    }
    size_ = tag_.empty() ? 0 : status.st_size;
  }

  /// Nothing has arrived; what comes now will be of that tag.
  void begin(const std::string& url, const std::string& tag) {
    require(ftruncate(fd_, 0) == 0, part_.string(), ": ", std::strerror(errno));
    size_ = 0;
    tag_ = tag;
    write_file(origin_, Json{{"url", url}, {"etag", tag}}.dump());
  }

  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (count < 0 && errno == EINTR) continue;
      require(count > 0, part_.string(), ": cannot write: ", std::strerror(errno));
      bytes.remove_prefix(static_cast<size_t>(count));
      size_ += count;
    }
  }

  void discard() const {
    std::error_code ignored;
    fs::remove(part_, ignored);
  }

  /// Gives the file its name.
  void finish() {
    require(ftruncate(fd_, static_cast<off_t>(size_)) == 0 && fsync(fd_) == 0, part_.string(),
            ": cannot write: ", std::strerror(errno));
    fs::rename(part_, path_);
    std::error_code ignored;
    fs::remove(origin_, ignored);
  }

 private:
  /// False if another process finished the file that was opened, while this one waited for it.
  bool open_and_lock() {
    fd_ = open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    require(fd_ >= 0, part_.string(), ": cannot create: ", std::strerror(errno));
    while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) break;  // no locks on this file system
      throw_if_interrupted();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    struct stat mine {};
    struct stat named {};
    if (fstat(fd_, &mine) == 0 && stat(part_.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
        mine.st_dev == named.st_dev) {
      return true;
    }
    close();
    return false;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  fs::path path_, part_, origin_;
  int fd_ = -1;
  int64_t size_ = 0;
  std::string tag_;
};

/// One try, from where the last one ended.
class Attempt {
 public:
  Attempt(const std::string& url, PartialFile& file, const Progress& progress, int64_t max_bytes)
      : url_(url), file_(file), progress_(progress), max_bytes_(max_bytes) {}

  /// What went wrong; empty if the file is whole.
  std::string run(const HttpOptions& options) {
    std::vector<std::string> headers;
    asked_from_ = file_.tag().empty() ? 0 : file_.size();
    if (asked_from_ > 0) {
      headers = {"Range: bytes=" + std::to_string(asked_from_) + "-", "If-Range: " + file_.tag()};
    }
    const Answer answer =
        get(url_, options, headers,
            [&](const Answer& so_far, std::string_view piece) { receive(so_far, piece); });
    if (!answer.failure.empty()) return answer.failure;
    require(answer.status != 404, url_, ": there is no such file (HTTP status 404)");
    if (answer.status == 416 && asked_from_ > 0) return end_of_range(answer);
    if (!started_ && answer.status == 200) start(answer);  // an empty file
    if (started_ && (total_ < 0 || file_.size() == total_)) return "";
    if (!refused_.empty()) return refused_;
    return started_ ? "the server sent " + std::to_string(file_.size()) + " of " +
                          std::to_string(total_) + " bytes"
                    : describe(answer);
  }

 private:
  void receive(const Answer& answer, std::string_view piece) {
    if (!refused_.empty() || (!started_ && !start(answer))) return;
    require(file_.size() + static_cast<int64_t>(piece.size()) <= max_bytes_, url_,
            ": larger than the limit of ", max_bytes_, " bytes");
    file_.append(piece);
    if (progress_) progress_(file_.size(), std::max<int64_t>(total_, 0));
  }

  /// False for an answer that is no part of the file.
  bool start(const Answer& answer) {
    if (answer.status == 206 && asked_from_ > 0) {
      const ContentRange range = parse_content_range(answer.header("content-range"));
      const std::string tag = validator(answer);
      // A server that takes no notice of If-Range may send the end of another file.
      if (range.first != asked_from_ || (!tag.empty() && tag != file_.tag())) {
        refused_ = "the server sent another range than it was asked for, or of another file";
        file_.begin(url_, "");
        return false;
      }
      total_ = range.total;
    } else if (answer.status == 200) {
      total_ = parse_size(answer.header("content-length"));
      file_.begin(url_, validator(answer));
    } else {
      return false;
    }
    started_ = true;
    return true;
  }

  /// The server has nothing from there on: all has arrived, or the file is another one.
  std::string end_of_range(const Answer& answer) {
    if (parse_content_range(answer.header("content-range")).total == asked_from_) return "";
    file_.begin(url_, "");
    return "the server's file has become shorter";
  }

  const std::string& url_;
  PartialFile& file_;
  const Progress& progress_;
  int64_t max_bytes_;
  int64_t asked_from_ = 0;
  int64_t total_ = -1;
  bool started_ = false;
  std::string refused_;
};

}  // namespace

void download(const std::string& url, const fs::path& path, const HttpOptions& options,
              const Progress& progress, int64_t max_bytes) {
  if (fs::exists(path)) return;
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  PartialFile file(path);
  if (fs::exists(path)) {  // another process had it
    file.discard();
    return;
  }
  file.recall(url);
  try_again(url, options, [&] { return Attempt(url, file, progress, max_bytes).run(options); });
  file.finish();
}

}  // namespace clipnext::net

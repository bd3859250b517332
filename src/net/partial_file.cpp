#include "net/partial_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace clipnext::net {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostRanges = 64;
constexpr int64_t kMostBytes = int64_t{1} << 50;

fs::path with_json(fs::path path) { return path += ".json"; }

}  // namespace

PartialFile::PartialFile(const fs::path& path, const fs::path& part)
    : path_(path), part_(part), origin_(with_json(part)), lock_(part) {}

void PartialFile::recall(const std::string& url) {
  struct stat status {};
  require(fstat(lock_.descriptor(), &status) == 0, part_.string(), ": ", std::strerror(errno));
  size_ = 0;
  ranges_.clear();
  tag_.clear();
  try {
    const Json json = parse_json(read_file(origin_, 1 << 16), origin_.string());
    if (json.at("url").get<std::string>() != url) return;
    const std::string tag = json.at("etag").get<std::string>();
    if (tag.empty()) return;
    if (!json.contains("ranges")) {
      size_ = status.st_size;
    } else if (!recall_ranges(json.at("size").get<int64_t>(), json.at("ranges").get<int64_t>(),
                              status.st_size)) {
      return;
    }
    tag_ = tag;
  } catch (const std::exception&) {  // nothing is known of what lies there
  }
}

bool PartialFile::recall_ranges(int64_t total, int64_t count, int64_t length) {
  if (total < 1 || total > kMostBytes || count < 1 || count > kMostRanges) return false;
  set_ranges(total, count);
  std::vector<int64_t> counts(static_cast<size_t>(count));
  const auto bytes = counts.size() * sizeof(int64_t);
  bool fits = length == total;  // killed while it was finished
  if (length == total + static_cast<int64_t>(bytes)) {
    fits = pread(lock_.descriptor(), counts.data(), bytes, static_cast<off_t>(total)) ==
           static_cast<ssize_t>(bytes);
  } else {
    for (size_t i = 0; i < counts.size(); ++i) counts[i] = ranges_[i].end - ranges_[i].first;
  }
  int64_t arrived = 0;
  for (size_t i = 0; fits && i < counts.size(); ++i) {
    fits = counts[i] >= 0 && counts[i] <= ranges_[i].end - ranges_[i].first;
    ranges_[i].done = counts[i];
    arrived += counts[i];
  }
  if (!fits) ranges_.clear();
  size_ = fits ? arrived : 0;
  return fits;
}

void PartialFile::set_ranges(int64_t total, int64_t count) {
  ranges_.clear();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t piece = total / count;
    ranges_.push_back({.first = piece * i, .end = i + 1 == count ? total : piece * (i + 1)});
  }
}

void PartialFile::begin(const std::string& url, const std::string& tag) {
  require(ftruncate(lock_.descriptor(), 0) == 0, part_.string(), ": ", std::strerror(errno));
  size_ = 0;
  tag_ = tag;
  ranges_.clear();
  write_file(origin_, Json{{"url", url}, {"etag", tag}}.dump());
}

void PartialFile::divide(const std::string& url, const std::string& tag, int64_t total,
                         int64_t count) {
  begin(url, "");
  write_file(origin_, Json{{"url", url}, {"etag", tag}, {"size", total}, {"ranges", count}}.dump());
  const int64_t length = total + count * static_cast<int64_t>(sizeof(int64_t));
  require(ftruncate(lock_.descriptor(), static_cast<off_t>(length)) == 0, part_.string(),
          ": cannot make a file of ", total, " bytes: ", std::strerror(errno));
  tag_ = tag;
  set_ranges(total, count);
}

void PartialFile::write_at(int64_t position, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        pwrite(lock_.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, part_.string(), ": cannot write: ", std::strerror(errno),
            "; what has arrived is kept for the next try");
    bytes.remove_prefix(static_cast<size_t>(count));
    position += count;
  }
}

void PartialFile::append(std::string_view bytes) {
  write_at(size_, bytes);
  size_ += static_cast<int64_t>(bytes.size());
}

void PartialFile::append(size_t range, std::string_view bytes) {
  Range& r = ranges_[range];
  write_at(r.first + r.done, bytes);
  r.done += static_cast<int64_t>(bytes.size());
  const int64_t counter =
      ranges_.back().end + static_cast<int64_t>(range) * static_cast<int64_t>(sizeof(int64_t));
  write_at(counter, {reinterpret_cast<const char*>(&r.done), sizeof r.done});
  size_ += static_cast<int64_t>(bytes.size());
}

void PartialFile::discard() {
  std::error_code ignored;
  fs::remove(part_, ignored);
  fs::remove(origin_, ignored);
}

void PartialFile::finish(const std::function<void(const fs::path&)>& check) {
  require(ftruncate(lock_.descriptor(), static_cast<off_t>(size_)) == 0 &&
              fsync(lock_.descriptor()) == 0,
          part_.string(), ": cannot write: ", std::strerror(errno));
  try {
    if (check) check(part_);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    discard();
    throw;
  }
  fs::rename(part_, path_);
  std::error_code ignored;
  fs::remove(origin_, ignored);
}

}  // namespace clipnext::net

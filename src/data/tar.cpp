#include "data/tar.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace clipnext::data {

struct TarReader::Archive {
  Archive() : handle(archive_read_new()) {}
  ~Archive() { archive_read_free(handle); }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  [[noreturn]] void fail_with(const std::filesystem::path& path) const {
    const char* reason = archive_error_string(handle);
    fail(path.string(), ": ", reason != nullptr ? reason : "not a readable tar archive");
  }

  struct archive* handle;
  bool ended = false;  // libarchive may not be asked again then
};

TarReader::TarReader(std::filesystem::path path, int64_t max_member_bytes)
    : path_(std::move(path)),
      max_member_bytes_(max_member_bytes),
      archive_(std::make_unique<Archive>()) {
  require(archive_->handle != nullptr, path_.string(), ": out of memory");
  // libarchive's other formats and filters are not asked for: less code meets outside bytes.
  archive_read_support_format_tar(archive_->handle);
  archive_read_support_filter_gzip(archive_->handle);
  archive_read_support_filter_zstd(archive_->handle);
  archive_read_set_options(archive_->handle, "read_concatenated_archives");
  if (archive_read_open_filename(archive_->handle, path_.c_str(), 1 << 16) != ARCHIVE_OK) {
    archive_->fail_with(path_);
  }
}

TarReader::~TarReader() = default;

std::optional<TarMember> TarReader::next() {
  if (archive_->ended) return std::nullopt;
  archive_entry* entry = nullptr;
  while (true) {
    const int status = archive_read_next_header(archive_->handle, &entry);
    archive_->ended = status == ARCHIVE_EOF;
    if (archive_->ended) return std::nullopt;
    if (status < ARCHIVE_WARN) archive_->fail_with(path_);
    if (archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr) {
      break;
    }
  }
  const char* name = archive_entry_pathname(entry);
  TarMember member{.name = name != nullptr ? name : "", .content = {}};
  const int64_t size = archive_entry_size(entry);
  require(size >= 0 && size <= max_member_bytes_, path_.string(), ": member ", member.name, " has ",
          size, " bytes, the limit is ", max_member_bytes_);
  // Grown as bytes arrive: a header that promises more than the file holds reserves nothing.
  char chunk[1 << 16];
  while (true) {
    const la_ssize_t count = archive_read_data(archive_->handle, chunk, sizeof chunk);
    if (count < 0) archive_->fail_with(path_);
    if (count == 0) break;
    member.content.append(chunk, static_cast<size_t>(count));
    require(static_cast<int64_t>(member.content.size()) <= max_member_bytes_, path_.string(),
            ": member ", member.name, " is larger than the limit of ", max_member_bytes_, " bytes");
  }
  require(static_cast<int64_t>(member.content.size()) == size, path_.string(), ": member ",
          member.name, " is cut short: ", member.content.size(), " of ", size, " bytes");
  return member;
}

namespace {

// One sample is held in memory whole.
constexpr size_t kMaxParts = 64;

// "train/s1.seg.PNG" is part "seg.png" of sample "train/s1".
std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
  if (dot == std::string::npos) return {name, ""};
  std::string part = name.substr(dot + 1);
  for (char& c : part) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return {name.substr(0, dot), std::move(part)};
}

}  // namespace

std::optional<Sample> SampleReader::next() {
  if (!ahead_) ahead_ = tar_.next();
  if (!ahead_) return std::nullopt;
  Sample sample;
  sample.key = split_name(ahead_->name).first;
  while (ahead_) {
    auto [key, part] = split_name(ahead_->name);
    if (key != sample.key) break;
    require(sample.parts.size() < kMaxParts, path_.string(), ": sample ", key, " has more than ",
            kMaxParts, " parts");
    require(sample.parts.emplace(part, std::move(ahead_->content)).second, path_.string(),
            ": sample ", key, " has two parts named ", part);
    ahead_ = tar_.next();
  }
  return sample;
}

}  // namespace clipnext::data

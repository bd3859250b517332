#include "data/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <system_error>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace clipnext::data {
namespace {

constexpr int64_t kTarBlock = 512;

int64_t padded(int64_t size) {
  return checked_add(size, kTarBlock - 1, "size of a member") / kTarBlock * kTarBlock;
}

}  // namespace

Archive::Archive(std::filesystem::path path, int64_t max_member_bytes, size_t block_bytes)
    : path_(std::move(path)), max_member_bytes_(max_member_bytes), handle_(archive_read_new()) {
  require(handle_ != nullptr, path_.string(), ": out of memory");
  // libarchive's other formats and filters are not asked for: less code meets outside bytes.
  archive_read_support_format_tar(handle_);
  archive_read_support_filter_gzip(handle_);
  archive_read_support_filter_zstd(handle_);
  archive_read_set_options(handle_, "read_concatenated_archives");
  if (archive_read_open_filename(handle_, path_.c_str(), block_bytes) == ARCHIVE_OK) return;
  const char* reason = archive_error_string(handle_);
  const std::string message = reason != nullptr ? reason : "cannot be opened";
  archive_read_free(handle_);
  fail(path_.string(), ": ", message);
}

Archive::~Archive() { archive_read_free(handle_); }

void Archive::fail_with_reason() const {
  const char* reason = archive_error_string(handle_);
  fail(path_.string(), ": ", reason != nullptr ? reason : "not a readable tar archive");
}

bool Archive::plain() const { return archive_filter_code(handle_, 0) == ARCHIVE_FILTER_NONE; }

// What libarchive skips by seeking may lie beyond the end of the file; it does not look.
void Archive::check_end() {
  const int64_t end = archive_filter_bytes(handle_, 0);
  require(end > end_, path_.string(),
          " is cut short: it ends without the empty blocks that end a tar; copy or download it "
          "again");
  if (!plain()) return;
  std::error_code error;
  const auto size = std::filesystem::file_size(path_, error);
  require(error || static_cast<uint64_t>(end_) < size, path_.string(), " is cut short: it has ",
          size, " bytes, and a member that ends at ", end_);
}

bool Archive::next() {
  while (!ended_) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle_, &entry);
    if (status == ARCHIVE_EOF) {
      ended_ = true;
      check_end();
      break;
    }
    if (status < ARCHIVE_WARN) fail_with_reason();
    const bool file =
        archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
    const char* name = archive_entry_pathname(entry);
    name_ = name != nullptr ? name : "";
    size_ = archive_entry_size(entry);
    offset_ = archive_filter_bytes(handle_, 0);
    if (!file) {
      end_ = offset_;
      continue;
    }
    require(size_ >= 0 && size_ <= max_member_bytes_, path_.string(), ": member ", name_, " has ",
            size_, " bytes, the limit is ", max_member_bytes_);
    require(archive_entry_sparse_count(entry) == 0, path_.string(), ": member ", name_,
            " is a sparse file, which is not supported; pack it without --sparse");
    end_ = checked_add(offset_, padded(size_), "place of a member");
    return true;
  }
  return false;
}

std::string Archive::read() {
  // Grown as bytes arrive: a header that promises more than the file holds reserves nothing.
  std::string content;
  char chunk[1 << 16];
  while (true) {
    const la_ssize_t count = archive_read_data(handle_, chunk, sizeof chunk);
    if (count < 0) fail_with_reason();
    if (count == 0) break;
    content.append(chunk, static_cast<size_t>(count));
    require(static_cast<int64_t>(content.size()) <= max_member_bytes_, path_.string(), ": member ",
            name_, " is larger than the limit of ", max_member_bytes_, " bytes");
  }
  require(static_cast<int64_t>(content.size()) == size_, path_.string(), ": member ", name_,
          " is cut short: ", content.size(), " of ", size_, " bytes");
  return content;
}

}  // namespace clipnext::data

#include "data/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace clipnext::data {
namespace {

constexpr int64_t kTarBlock = 512;
constexpr size_t kStreamBlock = size_t{1} << 17;

int64_t padded(int64_t size) {
  return checked_add(size, kTarBlock - 1, "size of a member") / kTarBlock * kTarBlock;
}

}  // namespace

Archive::Handle::Handle(const std::string& name) : raw(archive_read_new()) {
  require(raw != nullptr, name, ": out of memory");
  // libarchive's other formats and filters are not asked for: less code meets outside bytes.
  archive_read_support_format_tar(raw);
  archive_read_support_filter_gzip(raw);
  archive_read_support_filter_bzip2(raw);
  archive_read_support_filter_xz(raw);
  archive_read_support_filter_zstd(raw);
  archive_read_set_options(raw, "read_concatenated_archives");
}

Archive::Handle::~Handle() { archive_read_free(raw); }

Archive::Archive(std::filesystem::path path, int64_t max_member_bytes, size_t block_bytes)
    : path_(std::move(path)), max_member_bytes_(max_member_bytes), handle_(path_.string()) {
  if (archive_read_open_filename(handle_.raw, path_.c_str(), block_bytes) != ARCHIVE_OK) {
    fail_with_reason();
  }
}

Archive::Archive(const std::string& name, std::unique_ptr<ByteStream> stream,
                 int64_t max_member_bytes, OnSkip on_skip)
    : path_(name),
      max_member_bytes_(max_member_bytes),
      on_skip_(std::move(on_skip)),
      stream_(std::move(stream)),
      block_(kStreamBlock),
      handle_(name) {
  if (archive_read_open(handle_.raw, this, nullptr, read_block, nullptr) != ARCHIVE_OK) {
    fail_with_reason();
  }
}

Archive::~Archive() = default;

ssize_t Archive::read_block(struct archive* handle, void* self, const void** block) {
  auto& archive = *static_cast<Archive*>(self);
  *block = archive.block_.data();
  try {
    return static_cast<ssize_t>(archive.stream_->read(archive.block_));
  } catch (...) {
    archive.stream_error_ = std::current_exception();
    archive_set_error(handle, EIO, "the stream failed");
    return -1;
  }
}

void Archive::fail_with_reason() {
  if (stream_error_ != nullptr) {
    try {
      std::rethrow_exception(std::exchange(stream_error_, nullptr));
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      fail(path_.string(), ": ", error.what());
    }
  }
  require(archive_filter_bytes(handle_.raw, -1) != 0, path_.string(),
          ": it is empty, or ends within its first block");
  const char* reason = archive_error_string(handle_.raw);
  fail(path_.string(), ": ", reason != nullptr ? reason : "not a readable tar archive");
}

bool Archive::plain() const { return archive_filter_code(handle_.raw, 0) == ARCHIVE_FILTER_NONE; }

void Archive::check_end() {
  if (stream_ != nullptr) {
    // A command that failed may have ended where a tar can: its failure says more than what is
    // missing.
    try {
      stream_->finish();
    } catch (...) {
      stream_error_ = std::current_exception();
      fail_with_reason();
    }
  }
  const int64_t end = archive_filter_bytes(handle_.raw, 0);
  require(
      end > end_, path_.string(),
      ": cut short: it ends without the empty blocks that end a tar; copy or download it again");
  if (stream_ != nullptr || !plain()) return;
  // What libarchive skips by seeking may lie beyond the end of the file; it does not look.
  std::error_code error;
  const auto size = std::filesystem::file_size(path_, error);
  require(error || static_cast<uint64_t>(end_) < size, path_.string(), ": cut short: it has ", size,
          " bytes, and a member that ends at ", end_);
}

// Empty: the member can be given.
std::string Archive::why_not() const {
  if (size_ < 0 || size_ > max_member_bytes_) {
    return "has " + std::to_string(size_) + " bytes, the limit is " +
           std::to_string(max_member_bytes_);
  }
  if (sparse_parts_ != 0) {
    return "is a sparse file, which is not supported; pack it without --sparse";
  }
  return {};
}

bool Archive::next() {
  while (!ended_) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle_.raw, &entry);
    if (status == ARCHIVE_EOF) {
      ended_ = true;
      check_end();
      break;
    }
    // ARCHIVE_RETRY, too, is a damaged header: going on would take contents for headers.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) fail_with_reason();
    const bool file =
        archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
    const char* name = archive_entry_pathname(entry);
    name_ = name != nullptr ? name : "";
    size_ = archive_entry_size(entry);
    sparse_parts_ = archive_entry_sparse_count(entry);
    offset_ = archive_filter_bytes(handle_.raw, 0);
    if (!file) {
      end_ = offset_;
      continue;
    }
    const std::string reason = why_not();
    require(reason.empty() || on_skip_, path_.string(), ": member ", name_, " ", reason);
    if (!reason.empty()) {
      on_skip_(name_, reason);
      end_ = offset_;
      continue;
    }
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
    const la_ssize_t count = archive_read_data(handle_.raw, chunk, sizeof chunk);
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

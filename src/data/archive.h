// One tar opened in libarchive: what the readers of this folder share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

struct archive;

namespace clipnext::data {

/// The regular files of a tar (plain, gzip or zstd) in order; links, devices and folders are passed
/// over. Every function throws Error naming the file if the archive is damaged or ends too early;
/// also where it ends between two members without the empty blocks that end a tar, as a broken
/// download may.
class Archive {
 public:
  /// At most `block_bytes` are read at a time.
  Archive(std::filesystem::path path, int64_t max_member_bytes, size_t block_bytes);
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  /// Goes to the next file; false at the end.
  bool next();
  /// Of the file that next() went to.
  const std::string& name() const { return name_; }
  int64_t size() const { return size_; }
  /// All its bytes; once.
  std::string read();

  /// Whether the bytes lie in the file as they are, and where those of this member begin.
  bool plain() const;
  int64_t offset() const { return offset_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  [[noreturn]] void fail_with_reason() const;
  void check_end();

  std::filesystem::path path_;
  int64_t max_member_bytes_;
  struct archive* handle_;
  std::string name_;
  int64_t size_ = 0;
  int64_t offset_ = 0;
  int64_t end_ = 0;     // of the last member of any kind, padding included
  bool ended_ = false;  // libarchive may not be asked again then
};

}  // namespace clipnext::data

// One tar opened in libarchive: what the readers of this folder share.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/byte_stream.h"

struct archive;

namespace clipnext::data {

/// The regular files of a tar (plain, gzip, bzip2, xz or zstd, by its content) in order; links,
/// devices and folders are passed over. Every function throws Error naming the file if the archive
/// is damaged or ends too early; also where it ends between two members without the empty blocks
/// that end a tar, as a broken download may.
class Archive {
 public:
  /// Hears of a member that cannot be given: larger than the limit, or a sparse file.
  using OnSkip = std::function<void(const std::string& member, const std::string& reason)>;

  /// A local file, of which what is not read is sought over. At most `block_bytes` are read at a
  /// time. A member that cannot be given is an Error.
  Archive(std::filesystem::path path, int64_t max_member_bytes, size_t block_bytes);
  /// A stream, read in order; `name` is what messages call it. Members that cannot be given are
  /// told to `on_skip` and passed over. Functions throw what the stream throws, with the name
  /// before the message of an Error.
  Archive(const std::string& name, std::unique_ptr<ByteStream> stream, int64_t max_member_bytes,
          OnSkip on_skip);
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
  static ssize_t read_block(struct archive* handle, void* self, const void** block);
  struct Handle {
    explicit Handle(const std::string& name);
    ~Handle();
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    struct archive* const raw;
  };

  [[noreturn]] void fail_with_reason();
  void check_end();
  std::string why_not() const;

  std::filesystem::path path_;
  int64_t max_member_bytes_;
  OnSkip on_skip_;
  std::unique_ptr<ByteStream> stream_;  // null: libarchive opened the file
  std::vector<char> block_;             // of the stream, what libarchive looks at
  std::exception_ptr stream_error_;     // not to be thrown through libarchive
  Handle handle_;
  int64_t sparse_parts_ = 0;
  std::string name_;
  int64_t size_ = 0;
  int64_t offset_ = 0;
  int64_t end_ = 0;     // of the last member of any kind, padding included
  bool ended_ = false;  // libarchive may not be asked again then
};

}  // namespace clipnext::data

// Zip archives as PyTorch and NumPy write them: read through the central directory, written stored.
#pragma once

#include <map>
#include <string>

#include "base/file.h"
#include "weights/source.h"

namespace clipnext::weights {

/// One record: its bytes as they lie in the archive and what they stand for.
struct ZipRecord {
  std::span<const std::byte> raw;
  bool deflated = false;
  uint32_t crc = 0;  // of the content; 0 if the writer left it out
  int64_t size = 0;  // of the content
};

/// By name; of records with the same name the last counts.
using ZipRecords = std::map<std::string, ZipRecord, std::less<>>;

bool is_zip(std::span<const std::byte> bytes);

/// Lists an archive, zip64 included. Every record's bytes lie within the archive, and all of them
/// together are no longer than it; a deflated record's size is one that deflate can reach. Throws
/// Error for anything else (encryption, other methods, several disks, a truncated file).
ZipRecords list_zip(const Source& source);

/// The record's content: the source's own bytes if stored, else inflated into fresh memory of
/// exactly record.size bytes. Throws Error if that is not what the data gives.
struct ZipContent {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};
ZipContent zip_content(const ZipRecord& record, const Source& source, const std::string& name);

/// Throws Error if the content's CRC-32 is not the record's. Not part of reading: it would touch
/// every byte of a mapped checkpoint.
void check_crc(const ZipRecord& record, std::span<const std::byte> content,
               const std::string& what);

/// Writes records one after another, stored, each record's data on a multiple of 64 bytes.
class ZipWriter {
 public:
  /// `zip64` forces the 64-bit records that large archives get by themselves.
  explicit ZipWriter(FileWriter& file, bool zip64 = false) : file_(file), zip64_(zip64) {}

  /// The content is head followed by body.
  void add(const std::string& name, std::string_view head, std::span<const std::byte> body = {});
  /// Writes the central directory; the file is the caller's to commit.
  void finish();

 private:
  FileWriter& file_;
  bool zip64_;
  std::string directory_;
  uint64_t count_ = 0;
};

}  // namespace clipnext::weights

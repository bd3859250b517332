// Tar archives of samples (webdataset shards), through libarchive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/file_range.h"

namespace clipnext::data {

class Archive;

constexpr int64_t kMaxMemberBytes = int64_t{1} << 28;

struct TarMember {
  std::string name;  // as stored, e.g. "train/s0000001.png"; never used as a path
  std::string content;
};

/// The regular files of a tar (see Archive), in order. Links, devices and folders are
/// passed over. Throws Error naming the archive if it is truncated or damaged, or if a member is
/// larger than max_member_bytes or sparse.
class TarReader {
 public:
  explicit TarReader(std::filesystem::path path, int64_t max_member_bytes = kMaxMemberBytes);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// The next file, nothing at the end.
  std::optional<TarMember> next();

 private:
  std::unique_ptr<Archive> archive_;
};

/// What a member holds: its place in the tar unless that is compressed, and its bytes where they
/// are few or have no place.
struct TarPart {
  std::optional<FileRange> range;
  std::shared_ptr<const std::string> bytes;
};

/// Throws Error as read_range.
std::string read_part(const TarPart& part);

struct IndexedMember {
  std::string name;
  TarPart part;
};

/// The files that TarReader gives, without reading what can be read later: the bytes of members of
/// up to `inline_bytes` are held at once, and all of a compressed tar. Throws Error as TarReader.
std::vector<IndexedMember> index_tar(const std::filesystem::path& path, int64_t inline_bytes = 1024,
                                     int64_t max_member_bytes = kMaxMemberBytes);

/// One webdataset sample: consecutive members that share the name up to the first dot of its last
/// component; parts by what follows that dot, in lower case ("png", "cls", "txt").
struct Sample {
  std::string key;
  std::map<std::string, TarPart> parts;
};

/// The samples of a tar, in order. As webdataset does, members whose last component has no dot or
/// begins with one, and those in or named like __this__, are passed over. Throws Error as
/// TarReader, and if a sample holds two parts of one kind.
std::vector<Sample> index_samples(const std::filesystem::path& path);

}  // namespace clipnext::data

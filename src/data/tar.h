// Tar archives of samples (webdataset shards), read member by member through libarchive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace clipnext::data {

struct TarMember {
  std::string name;  // as stored, e.g. "train/s0000001.png"; never used as a path
  std::string content;
};

/// The regular files of a tar (plain, gzip or zstd), in order. Links, devices and folders are
/// passed over. Throws Error naming the archive if it is truncated or damaged, or if a member is
/// larger than max_member_bytes.
class TarReader {
 public:
  explicit TarReader(std::filesystem::path path, int64_t max_member_bytes = int64_t{1} << 28);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// The next file, nothing at the end.
  std::optional<TarMember> next();

 private:
  struct Archive;

  std::filesystem::path path_;
  int64_t max_member_bytes_;
  std::unique_ptr<Archive> archive_;
};

/// One webdataset sample: consecutive members that share the name up to the first dot of its last
/// component; parts by what follows that dot, in lower case ("png", "cls", "txt").
struct Sample {
  std::string key;
  std::map<std::string, std::string> parts;
};

/// Groups the members of a tar into samples, in order.
class SampleReader {
 public:
  explicit SampleReader(const std::filesystem::path& path) : tar_(path), path_(path) {}

  /// The next sample, nothing at the end. Throws Error as TarReader, and if a sample holds two
  /// parts of one kind.
  std::optional<Sample> next();

 private:
  TarReader tar_;
  std::filesystem::path path_;
  std::optional<TarMember> ahead_;
};

}  // namespace clipnext::data

// A part of a file, read when it is wanted: how a member of an archive is held without its bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace clipnext::data {

/// `size` bytes from `offset` on of a file that many ranges may share.
struct FileRange {
  std::shared_ptr<const std::filesystem::path> file;
  int64_t offset = 0;
  int64_t size = 0;
};

/// Throws Error naming the file if it has fewer bytes or cannot be read.
std::string read_range(const FileRange& range);

}  // namespace clipnext::data

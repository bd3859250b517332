// Writing tar archives. Not through libarchive: its writing half would link every format that it
// knows, and this one is a header of a page.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"

namespace clipnext::data {

/// A ustar archive of regular files (POSIX.1-1988). The same members give the same bytes: they have
/// no date and no owner. Written beside `path` and renamed by commit(), as FileWriter does.
class TarWriter {
 public:
  explicit TarWriter(const std::filesystem::path& path) : path_(path), file_(path) {}

  /// Throws Error naming the archive if the name is empty or longer than 100 bytes, if the content
  /// has 8 GiB or more, or if writing fails.
  void add(const std::string& name, std::string_view content);
  void commit();

 private:
  void pad(int64_t multiple);

  std::filesystem::path path_;
  FileWriter file_;
};

}  // namespace clipnext::data

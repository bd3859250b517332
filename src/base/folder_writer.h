// Writing a folder so that nobody sees half of one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace clipnext {

/// Files go to a temporary folder beside `path`; commit() flushes it and gives it the name. Without
/// commit (an error, an interrupt) the temporary folder goes and `path` is untouched; a kill leaves
/// the temporary one, never a part under the name.
class FolderWriter {
 public:
  /// Makes the temporary folder, and the parents of `path`. Throws Error if `path` is a file, or
  /// nothing can be made beside it.
  explicit FolderWriter(const std::filesystem::path& path);
  ~FolderWriter();
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;

  /// Where to write.
  [[nodiscard]] const std::filesystem::path& folder() const { return temporary_; }

  /// A folder that is there already changes places with the new one. What it holds under names that
  /// the new one lacks moves over, but for those in `stale`; the rest of it is removed. Throws
  /// Error naming what failed.
  void commit(const std::vector<std::string>& stale = {});

 private:
  void replace(const std::vector<std::string>& stale);

  std::filesystem::path path_, temporary_;
  bool done_ = false;
};

}  // namespace clipnext

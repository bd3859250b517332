// A file of which some has arrived: what is kept between tries and between processes.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_lock.h"

namespace clipnext::net {

/// A part of a file: bytes [first, end), of which `done` have arrived.
struct Range {
  int64_t first = 0;
  int64_t end = 0;
  int64_t done = 0;
};

/// PATH.part, of which this process is the only writer while the object lives, and PATH.part.json,
/// which says where it came from. Either the file's beginning, or, if it is divided, the whole
/// length with, behind its end, an int64 for each range that counts what of it has arrived: those
/// are written after the bytes they count, so that a process may be killed at any moment.
class PartialFile {
 public:
  PartialFile(const std::filesystem::path& path, const std::filesystem::path& part);

  /// Finds out what an earlier process left of that URL.
  void recall(const std::string& url);
  /// What tells this file from a later one under the same URL; empty if nothing does.
  const std::string& tag() const { return tag_; }
  /// Bytes that have arrived.
  int64_t size() const { return size_; }

  /// Nothing has arrived; what comes now will be of that tag, from the beginning.
  void begin(const std::string& url, const std::string& tag);
  void append(std::string_view bytes);

  /// Nothing has arrived; what comes now is of that tag and in so many ranges of `total` bytes.
  void divide(const std::string& url, const std::string& tag, int64_t total, int64_t count);
  /// Empty unless divided.
  const std::vector<Range>& ranges() const { return ranges_; }
  /// Adds to a range; each may be written by another thread.
  void append(size_t range, std::string_view bytes);

  void discard();
  /// Gives the whole file its name, if `check` has nothing against it.
  void finish(const std::function<void(const std::filesystem::path&)>& check);

 private:
  void write_at(int64_t position, std::string_view bytes);
  bool recall_ranges(int64_t total, int64_t count, int64_t length);
  void set_ranges(int64_t total, int64_t count);

  std::filesystem::path path_, part_, origin_;
  FileLock lock_;
  std::atomic<int64_t> size_{0};
  std::string tag_;
  std::vector<Range> ranges_;
};

}  // namespace clipnext::net

// Vectors kept on disk while they are computed, so that a pass that was killed goes on where it
// stopped, and afterwards, so that no further task needs a pass of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/content_hash.h"

namespace clipnext::eval {

/// The vectors of one list of items, in order: `stem`.npy [rows, dim] f32 and `stem`.key when they
/// are all there, `stem`.part before (docs/formats.md). A row that has no vector is all NaN.
///
/// `key` stands for all that the vectors follow from. Files with another key are not used and are
/// replaced. Of a part file, blocks are taken up to the first that is not whole.
class FeatureStore {
 public:
  /// Keeps nothing.
  FeatureStore() = default;
  /// The folder is made when there is something to write.
  FeatureStore(std::filesystem::path stem, const ContentHash& key, int64_t rows, int64_t dim);
  ~FeatureStore();
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  /// The first rows as far as they are on disk, [n, dim]; empty if there are none.
  std::vector<float> load();

  /// The next rows [n, dim]. What was appended more than about half a second ago is on disk. Throws
  /// Error if it cannot be written.
  void append(std::span<const float> rows);

  /// All rows are there. `keep`: they stay as `stem`.npy; otherwise nothing stays.
  void finish(std::span<const float> all, bool keep);

 private:
  using Clock = std::chrono::steady_clock;

  std::filesystem::path path(const char* extension) const;
  std::optional<std::vector<float>> load_complete() const;
  std::vector<float> load_part();
  void open_part();
  void write_block();

  std::filesystem::path stem_;
  ContentHash key_;
  int64_t rows_ = 0;
  int64_t dim_ = 0;
  int64_t done_ = 0;            // rows on disk
  std::vector<float> pending_;  // rows to be written
  Clock::time_point written_ = Clock::now();
  std::FILE* part_ = nullptr;
};

}  // namespace clipnext::eval

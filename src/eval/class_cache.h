// Class matrices kept on disk, so that a classifier of many prompts is computed once. A file is
// named by a hash of everything its values follow from, and holds a hash of the values themselves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/content_hash.h"

namespace clipnext::eval {

/// $CLIPNEXT_CACHE, else clipnext in $XDG_CACHE_HOME or in ~/.cache. Empty if CLIPNEXT_CACHE is set
/// but empty, or there is no home.
std::filesystem::path default_cache_folder();

/// A folder of safetensors files, one a class matrix. Several processes may use it at once.
class ClassCache {
 public:
  /// Keeps nothing.
  ClassCache() = default;
  /// Keeps the matrices that cost at least `least_flop` (by default about a second) in
  /// folder/classifiers, which is made when there is something to write; an empty path keeps
  /// nothing.
  explicit ClassCache(const std::filesystem::path& folder, double least_flop = 3e11);

  bool wants(double flop) const { return !folder_.empty() && flop >= least_flop_; }

  /// The matrix [labels, dim] kept under that key; nothing if there is none, or the file is not
  /// whole, which is no error.
  std::optional<std::vector<float>> find(const ContentHash& key, int64_t labels, int64_t dim) const;

  /// Writes it, and removes the oldest files beyond a hundred. False if the folder cannot be
  /// written, which is no error either.
  bool keep(const ContentHash& key, std::span<const float> vectors, int64_t labels,
            int64_t dim) const;

 private:
  std::filesystem::path path_of(const ContentHash& key) const;
  void remove_oldest() const;

  std::filesystem::path folder_;
  double least_flop_ = 0;
};

}  // namespace clipnext::eval

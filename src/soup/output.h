// A folder that appears whole or not at all, and in it the file of averaged weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "soup/pass.h"

namespace clipnext::soup {

/// A folder under a temporary name beside its final one. Destroyed without commit() it is removed.
class OutputFolder {
 public:
  /// Throws Error if there is something under the final name already, unless `replace` and it is a
  /// model folder with nothing else in it.
  OutputFolder(std::filesystem::path final_path, bool replace);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& path() const { return temporary_; }
  std::filesystem::path operator/(std::string_view name) const { return temporary_ / name; }
  /// Gives it its final name, after its entries have reached the disk. What it replaces is removed
  /// after that.
  void commit();

 private:
  std::filesystem::path final_, temporary_;
  bool committed_ = false;
};

/// Throws Error as OutputFolder's constructor does, without making anything.
void check_output(const std::filesystem::path& final_path, bool replace);

struct WrittenWeights {
  PassResult pass;
  std::string sha256;  // of the file
};

/// Writes the plan's values as safetensors with metadata {"format": "pt"}, in pieces from all
/// threads, to a file that does not exist; then opens it again, compares names, types and shapes,
/// and 64 elements of each tensor with what is computed anew. With `allow_nonfinite` values that
/// are not finite are taken as they are; otherwise they are an Error.
WrittenWeights write_weights(const std::filesystem::path& file, const Plan& plan,
                             std::span<const Ingredient> ingredients, const PassOptions& options,
                             bool allow_nonfinite, ThreadPool& pool);

/// Throws Error that names the first tensor whose header or looked-at elements are not as planned.
void check_written(const std::filesystem::path& file, const Plan& plan);

}  // namespace clipnext::soup

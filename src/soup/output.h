// The folder of a soup, and in it the file of averaged weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "soup/pass.h"

namespace clipnext::soup {

/// Throws Error if there is a folder of that name already, unless `replace`, or a file.
void check_output(const std::filesystem::path& folder, bool replace);

/// Files that another soup may have left in a folder and that say nothing of a new one.
std::vector<std::string> stale_files();

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

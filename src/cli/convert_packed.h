// convert --packed: a model laid out for computing.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/common.h"

namespace clipnext::cli {

struct PackOptions {
  bool packed = false;
  std::string pretrained;
  std::vector<std::string> images;  // to calibrate on
  bool classes = false;             // their sub-folders are classes
  std::vector<std::string> templates;
  int64_t most = 256;
  double min_cosine = 0.995;
};
void add_pack_options(CLI::App& command, PackOptions& options);

/// Whether the options ask for a packed file; throws CLI::ValidationError if some make no sense
/// together.
bool asks_for_packed(const PackOptions& options, const std::string& dtype);

void convert_packed(const std::string& in, const std::filesystem::path& out,
                    const std::string& dtype, const PackOptions& options,
                    const CommonOptions& common);

/// Throws CLI::ValidationError if `out` is the file `input`.
void refuse_to_overwrite(const std::filesystem::path& out, const std::filesystem::path& input);

}  // namespace clipnext::cli

// The options that the recipes of `clipnext soup` share.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/common.h"
#include "soup/plan.h"

namespace clipnext::cli {

struct SoupOptions {
  CommonOptions common;
  std::vector<std::string> ingredients;
  std::filesystem::path out;
  std::string model;
  std::string base;
  bool use_ema = false;
  bool allow_nonfinite = false;
  bool force = false;
  bool dry_run = false;
  bool also_bin = false;
  int64_t image_size = 0;  // 0: the ingredients'
  std::string dtype = "keep";
  std::string logit_scale = "mean";
  std::string accumulate = "f64";
  soup::Selection selection;
  std::vector<std::string> smoke;  // IMAGE TEXT...
  std::string device = "cpu";      // of what computes with the result
};

/// Those that say what is opened and compared: every recipe's and `inspect`'s.
void add_ingredient_options(CLI::App& command, SoupOptions& options);
/// The rest.
void add_soup_options(CLI::App& command, SoupOptions& options);

/// What they mean for the plan. Throws CLI::ValidationError.
soup::Options plan_options(const SoupOptions& options, std::vector<double> weights = {});

std::optional<int64_t> asked_image_size(const SoupOptions& options);

}  // namespace clipnext::cli

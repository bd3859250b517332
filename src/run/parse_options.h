// The command line of `clipnext train`, read as Python's argparse reads open_clip's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "run/options.h"

namespace clipnext::run {

/// The command line is wrong; the program exits with 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

struct ParsedOptions {
  TrainOptions options;
  bool help = false;                  // asked for: the rest is as far as it was read
  std::vector<std::string> warnings;  // options that are taken without effect, and the like
};

/// Arguments behind `clipnext train`. `--opt value`, `--opt=value`, and any beginning of a name
/// that no other option has; where open_clip_train 3.3.0 knows an abbreviation, it means the same
/// here. Of options given twice the last counts. `--no-FLAG` takes back a flag, for those of a
/// recipe. Learning rate and Adam's constants that nobody gave follow from the model's name, unless
/// the optimizer is one of timm's. Throws UsageError.
ParsedOptions parse_options(std::span<const std::string> arguments);

/// What depends on the number of processes. Throws UsageError.
void check_world(const TrainOptions& options, int64_t world);

/// The text of --help.
std::string help_text();

/// Which kind of data a path is: `dataset_type`, or for auto by the ending as open_clip does (csv,
/// tsv, tar), and a folder that exists is one. Throws UsageError.
std::string resolve_dataset_type(const std::string& dataset_type, const std::string& path);

/// Whether `--report-to` asks for TensorBoard's files: `wandb sync` reads those too.
bool writes_tensorboard(const TrainOptions& options);
/// Whether `--logs` keeps anything.
bool saves_logs(const TrainOptions& options);

}  // namespace clipnext::run

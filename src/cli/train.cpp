// clipnext train: the options are read here, where a wrong one costs milliseconds; the training
// itself is the other program's.
#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/torch_program.h"
#include "data/epoch_size.h"
#include "data/open_source.h"
#include "data/shard_list.h"
#include "run/dry_run.h"
#include "run/launch.h"
#include "run/parse_options.h"
#include "run/training_config.h"

namespace clipnext::cli {
namespace {

void dry_run(const run::TrainOptions& options) {
  const run::World world = run::detect_world(run::read_environment());
  run::DryRunInput input{.world = std::max(world.size, options.nproc)};
  const std::string data = options.train_data.value_or("");
  const auto kind = data::source_kind(data, options.dataset_type);
  input.streamed = kind == data::SourceKind::kWebdataset;
  input.num_samples = options.train_num_samples.value_or(0);
  if (input.streamed) {
    const data::ShardList shards(data, options.train_data_upsampling_factors.value_or(""));
    input.shards = shards.size();
    input.num_samples = data::training_samples(shards, input.num_samples);
  }
  require(input.num_samples > 0, "--dry-run needs --train-num-samples for this kind of data");
  const run::DryRun plan = run::dry_run(options, run::training_config(options), input);
  if (options.json) {
    print_json(run::dry_run_json(plan));
  } else {
    print(run::dry_run_text(plan));
  }
}

void train(std::vector<std::string> arguments) {
  const run::ParsedOptions parsed = run::parse_options(arguments);
  if (parsed.help) return print(run::help_text());
  if (parsed.options.dry_run) return dry_run(parsed.options);
  arguments.insert(arguments.begin(), "train");
  execute_torch_program("clipnext train", arguments);
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command =
      app.add_subcommand("train", "train or fine-tune a model, with open_clip's options");
  // Read as Python's argparse reads open_clip's, not as the other commands' options.
  command->prefix_command();
  command->set_help_flag();
  command->callback([command] { train(command->remaining()); });
}

}  // namespace clipnext::cli

// clipnext train: the options are read here, where a wrong one costs milliseconds; the training
// itself is a program of its own, since libtorch would weigh on every start of this one.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "data/epoch_size.h"
#include "data/open_source.h"
#include "data/shard_list.h"
#include "run/dry_run.h"
#include "run/launch.h"
#include "run/parse_options.h"
#include "run/training_config.h"

namespace clipnext::cli {
namespace {

constexpr const char* kProgram = "clipnext-torch";

/// Beside this program.
std::filesystem::path torch_program() {
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  auto program = self.parent_path() / kProgram;
  require(std::filesystem::exists(program), kProgram, " is not beside ", self.string(),
          ": this build has no training in it; ./dev build --train adds it");
  return program;
}

[[noreturn]] void execute(const std::vector<std::string>& arguments) {
  const std::string program = torch_program().string();
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // libtorch's threads wait by spinning, which takes the cores from the threads that decode, and on
  // a shared machine from everybody. libgomp reads it when it is loaded.
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "30000", 0);
  execv(program.c_str(), argv.data());
  fail(program, " cannot be started: ", std::strerror(errno));
}

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

void train(const std::vector<std::string>& arguments) {
  const run::ParsedOptions parsed = run::parse_options(arguments);
  if (parsed.help) return print(run::help_text());
  if (parsed.options.dry_run) return dry_run(parsed.options);
  execute(arguments);
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

// Which evaluations a command line asks for: CLIP_benchmark's options and how they unfold into runs
// (spec: evaluation, command line).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace clipnext::eval {

/// The options that decide what is run and where results go, with CLIP_benchmark's defaults.
struct RunOptions {
  std::vector<std::string> dataset = {"cifar10"};
  std::string dataset_root = "root";
  std::vector<std::string> train_split = {"train"};
  std::vector<std::string> val_split = {};
  std::vector<double> val_proportion = {};
  std::vector<std::string> model = {"ViT-B-32-quickgelu"};
  std::vector<std::string> pretrained = {"laion400m_e32"};
  std::vector<std::string> pretrained_model = {};
  std::vector<std::string> language = {"en"};
  std::string task = "auto";
  std::string output = "{dataset}_{pretrained}_{model}_{language}_{task}.json";
};

/// One model on one data set in one language.
struct Run {
  std::string model, pretrained, dataset, language, train_split;
  std::optional<std::string> val_split;
  std::optional<double> val_proportion;
};

/// Models outermost, languages innermost; files of names and collections are opened. Throws Error
/// that names the option or the line that makes no sense.
std::vector<Run> expand_runs(const RunOptions& options);

/// The pairs (model, pretrained) of a collection; nothing if there is none of that name.
std::optional<std::vector<std::pair<std::string, std::string>>> model_collection(
    const std::string& name);

/// "zeroshot_classification" or another, never "auto".
std::string resolve_task(const std::string& task, const std::string& dataset);

/// RunOptions::output with its fields filled in. Throws Error for a field that there is not.
std::filesystem::path output_path(const std::string& pattern, const Run& run,
                                  const std::string& task);

/// RunOptions::dataset_root likewise: {dataset} is the name without wds/, {dataset_cleaned} the
/// same with - for /.
std::string fill_dataset_root(const std::string& pattern, const std::string& dataset);

/// This process among those a launcher started (torchrun, Slurm, mpirun), from its environment.
struct World {
  int64_t local_rank = 0;
  int64_t rank = 0;
  int64_t size = 1;
};
/// Throws Error if the environment names a rank outside the world.
World world_from_environment();

/// The part of a list that is a rank's: shuffled by the seed, the same on every rank, then every
/// size-th.
std::vector<Run> runs_of_rank(std::vector<Run> runs, const World& world, int64_t seed);

}  // namespace clipnext::eval

// What a run is called, and params.txt.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "run/options.h"

namespace clipnext::run {

/// `2023_02_11-17_05_09-model_ViT-B-32-lr_5e-05-b_256-j_6-p_amp_bf16`, as open_clip names a run
/// without --name. `when` in local time; of several processes, the first one's.
std::string automatic_name(const TrainOptions& options, std::time_t when);

/// What open_clip adds to its options before it writes them down.
struct RunFacts {
  std::string device = "cpu";  // where it runs
  int64_t rank = 0;
  int64_t local_rank = 0;
  int64_t world_size = 1;
  bool distributed = false;
  std::string log_path = {}, checkpoint_path = {}, tensorboard_path = {};
};

/// params.txt: a line `key: value` for every option and fact, sorted by key, values as Python
/// prints them. Every line of the reference's file is in it; ours are more. options.name and
/// options.resume are those in effect.
std::string params_text(const TrainOptions& options, const RunFacts& facts);
/// The same as pairs.
std::vector<std::pair<std::string, std::string>> params(const TrainOptions& options,
                                                        const RunFacts& facts);

}  // namespace clipnext::run

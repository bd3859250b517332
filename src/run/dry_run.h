// What a run would take: --dry-run. Arithmetic only; nothing is read or allocated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/epoch_size.h"
#include "model/config.h"
#include "run/options.h"
#include "run/schedule.h"

namespace clipnext::run {

struct DryRunInput {
  int64_t world = 1;
  int64_t num_samples = 0;  // in an epoch, as asked for
  int64_t shards = 0;       // 0: the data has none
  bool streamed = true;     // shards, not rows
};

struct LrPoint {
  int64_t step = 0;
  double lr = 0;
};

/// Bytes in each process; of activations and buffers estimates.
struct RankMemory {
  int64_t weights = 0;  // a teacher's too
  int64_t gradients = 0, moments = 0;
  int64_t loss = 0;         // features of all processes, own gradients, a tile of logits
  int64_t activations = 0;  // kept for the backward pass
  int64_t shuffle = 0;      // encoded samples in the shuffle buffers, on the host
};

/// Bytes that each process receives in a step.
struct RankTraffic {
  int64_t features = 0;          // of the others
  int64_t weight_gradients = 0;  // all-reduced in a ring
};

struct DryRun {
  data::EpochSize epoch;
  int64_t steps_per_epoch = 0, total_steps = 0;
  int64_t global_batch = 0;  // samples of a step
  int64_t total_samples = 0;
  int64_t shards_per_worker = 0;  // of an epoch without replacement, rounded down
  int64_t parameters = 0, tensors = 0;
  Schedule schedule;
  std::vector<LrPoint> lr;
  RankMemory memory;
  RankTraffic traffic;
};

/// Throws Error for runs that cannot be: fewer shards than workers without --dataset-resampled.
DryRun dry_run(const TrainOptions& options, const model::ClipConfig& config,
               const DryRunInput& input);

/// For people, and for --json.
std::string dry_run_text(const DryRun& run);
OrderedJson dry_run_json(const DryRun& run);

}  // namespace clipnext::run

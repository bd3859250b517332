// The state of a run on disk: checkpoints that open_clip reads, and snapshots within an
// epoch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/training_state.h"
#include "pipeline/train_loader.h"
#include "run/logs.h"
#include "train/group.h"
#include "train/params.h"
#include "train/step.h"

namespace clipnext::train {

/// How an epoch is divided into steps.
struct EpochShape {
  int64_t steps = 0;
  int64_t batch_size = 0;  // of each rank
  int64_t accum_freq = 1;
  bool operator==(const EpochShape&) const = default;
};

/// How far this rank is.
struct RunProgress {
  int64_t epoch = 0;  // completed
  int64_t step = 0;   // optimizer steps within the next one
  pipeline::LoaderPosition loader = {};
  std::vector<pipeline::LoaderPosition> ranks = {};  // of a snapshot: every rank's
  std::optional<EpochShape> shape = {};              // of a snapshot
};

/// The same with every rank's place in its data, in each.
RunProgress gather_progress(const RunProgress& progress, Group& group);

/// A training state whose bytes are its own, so that training may go on while it is written.
using CheckpointCopy = model::TrainingState;
CheckpointCopy copy_state(const model::ClipConfig& config, const std::string& name, Params& params,
                          Stepper& stepper, int64_t epoch, int64_t steps, int64_t samples);
/// .pt, or .safetensors by the ending.
void write_checkpoint_file(const std::filesystem::path& path, const model::ClipConfig& config,
                           const CheckpointCopy& state);

/// steps: of the whole run, up to there.
void write_snapshot_file(const std::filesystem::path& path, const model::ClipConfig& config,
                         const std::string& name, Params& params, Stepper& stepper,
                         const RunProgress& progress, int64_t steps);

/// For run::find_latest of a run with this optimizer. config must outlive it.
run::ReadPosition position_reader(const model::ClipConfig& config, Optimizer& optimizer);

/// Weights, and what else the file has: moments, scaler, averaged weights, progress. Every rank
/// reads the file. Throws Error that names what does not fit.
RunProgress load_state(const std::filesystem::path& path, const model::ClipConfig& config,
                       Params& params, Stepper& stepper, const Group& group);

}  // namespace clipnext::train

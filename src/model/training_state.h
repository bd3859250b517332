// A training run on disk: what it takes to go on. Exchanged with open_clip's trainer as its
// checkpoints (.pt), and kept by ours as snapshots in safetensors, which know the place within an
// epoch too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/optimizer_kinds.h"
#include "model/param_groups.h"
#include "weights/tensor.h"

namespace clipnext::model {

/// An optimizer's state of one parameter.
struct Moments {
  /// Of its shape, by their names in the state_dict (exp_avg, exp_avg_sq, momentum_buffer), in
  /// float32 but for pure bf16 and fp16.
  weights::TensorMap tensors;
  int64_t step = 0;                   // updates made; 0 where the optimizer does not count them
  std::optional<double> mu_product;   // NAdam's
  std::optional<bool> use_muon = {};  // Muon's: whether it is not left to its AdamW
};

/// One of an optimizer's groups: its options as of the last step, and whose they are.
struct OptimizerGroup {
  OptimizerOptions options;
  std::vector<std::string> params;  // plain names, in the order of ordered_params()
};

struct OptimizerState {
  StepCount steps = StepCount::kByParameter;
  std::vector<OptimizerGroup> groups;
  /// By plain name. A parameter that has never had a gradient is left out.
  std::map<std::string, Moments, std::less<>> moments;
};

/// torch.amp.GradScaler's.
struct ScalerState {
  double scale = 65536, growth_factor = 2, backoff_factor = 0.5;
  int64_t growth_interval = 2000, growth_tracker = 0;
};

struct TrainingState {
  bool bare = false;  // only from reading: the file held weights and nothing else
  int64_t epoch = 0;  // completed
  std::string name;   // of the run
  /// Every tensor of list_params(), batch norm's statistics included, by plain name.
  weights::TensorMap weights;
  weights::TensorMap ema;  // the same averaged over steps, or empty
  std::optional<OptimizerState> optimizer;
  std::optional<ScalerState> scaler;
  std::optional<int64_t> global_step, samples_seen;
  /// JSON of whoever trains: where within the epoch, random keys, meters. Only in snapshots.
  std::string position;
};

/// Writes what `--resume` of open_clip_train 3.3.0 and its successors loads: epoch, name,
/// state_dict, optimizer, and scaler, global_step, samples_seen, state_dict_ema where given. Names
/// are the model's own (checkpoint_name), tensors are not copied. The optimizer's state loads there
/// if its groups were made by the rule that the trainer in question goes by. The file appears whole
/// or not at all. Throws Error that lists what does not fit the config, or if the file cannot be
/// written.
void write_training_checkpoint(const std::filesystem::path& path, const TrainingState& state,
                               const ClipConfig& config);

/// Reads a checkpoint of open_clip's trainer (today's, or older ones with `module.` names; groups
/// by either rule, or those of the run that asks, `own`), a snapshot of ours, or weights alone in
/// any format of weights/checkpoint.h (`bare`). Tensors stay in the mapped file. Whose the
/// optimizer's state is follows from the sizes of its groups and the shapes in it
/// (model/optimizer_values.h); without `own` the optimizer of a .pt is passed over.
/// Every byte is held to the checksums of .pt files and snapshots. Throws Error that says which
/// file, and what in it is damaged or does not fit.
TrainingState read_training_checkpoint(const std::filesystem::path& path, const ClipConfig& config,
                                       const std::optional<ParamGroups>& own = ParamGroups());

/// The same from bytes that `owner` keeps alive; `name` stands in messages.
TrainingState read_training_checkpoint(std::span<const std::byte> bytes,
                                       std::shared_ptr<const void> owner, const std::string& name,
                                       const ClipConfig& config,
                                       const std::optional<ParamGroups>& own = ParamGroups());

/// Writes a snapshot (docs/formats.md): safetensors with tensors `model.NAME`, `ema.NAME`,
/// `exp_avg.NAME`, `exp_avg_sq.NAME`, and the rest as JSON in the metadata. Whole or not at all.
/// Does not look at Ctrl-C: snapshots are what is written after it. Errors as above.
void write_snapshot(const std::filesystem::path& path, const TrainingState& state,
                    const ClipConfig& config);

/// Throws Error for a damaged file, one that is no snapshot, and one of another model.
TrainingState read_snapshot(const std::filesystem::path& path, const ClipConfig& config);

/// Throws Error, beginning with `source`, that lists the tensors of weights, averages and moments
/// that are missing, unknown, or of the wrong shape or type. Both writers do this.
void check_training_state(const TrainingState& state, const ClipConfig& config,
                          const std::string& source);

}  // namespace clipnext::model

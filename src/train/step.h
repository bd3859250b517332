// One optimizer step: forward, loss over all ranks, backward, averaging, clipping, update.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/embedder.h"
#include "train/group.h"
#include "train/loss.h"
#include "train/mode.h"
#include "train/optimizer.h"
#include "train/params.h"
#include "train/reducer.h"
#include "train/scaler.h"

namespace clipnext::train {

/// A batch as the loader gives it, its pixels on the model's device.
struct DeviceBatch {
  at::Tensor pixels;        // [n, h, w, 3] float32, normalised
  model::TokenRows tokens;  // n rows
};

struct Teacher;

/// What happens to a step whose loss or gradients are not finite.
enum class OnNan : uint8_t { kFail, kSkip };

struct StepOptions {
  std::optional<at::ScalarType> autocast = std::nullopt;
  bool loss_scaling = false;  // with float16
  bool checkpoint = false;
  bool freeze_batch_norm = false;
  bool share_batch_norm = false;  // batch statistics are of all ranks' samples
  bool sigmoid_loss = false;
  LossOptions loss = {};
  const Teacher* teacher = nullptr;  // to distil from; must outlive the stepper
  /// Counts the gradient of the logit scale once for each step, not once for each accumulated
  /// batch as the reference does.
  bool fix_accumulated_scale = false;
  std::optional<double> clip_norm = std::nullopt;
  OnNan on_nan = OnNan::kFail;
  std::optional<double> ema_decay = std::nullopt;
  uint64_t seed = 0;
};

struct StepReport {
  at::Tensor loss;           // this rank's share, [] float32, not yet waited for
  at::Tensor distill;        // the part of it that a teacher adds; undefined without one
  double logit_scale = 0;    // exp, after the step
  double gradient_norm = 0;  // before clipping; 0 if it was not needed
  bool skipped = false;      // not finite
};

/// The weights of a model and all that training them keeps. Every rank has the same.
class Stepper {
 public:
  /// `params` must outlive this. Broadcasts rank 0's parameters and statistics.
  Stepper(Params& params, const model::ClipConfig& config, Optimizer optimizer, Group& group,
          const StepOptions& options);

  /// Trains on batches of one size, several to accumulate (spec: training.md 4.6). `index` counts
  /// steps of the run from 0. Throws Error if the loss is not finite (OnNan::kFail), naming the
  /// step.
  StepReport step(std::span<const DeviceBatch> batches, double lr, int64_t index);

  Optimizer& optimizer() { return optimizer_; }
  bool scales_loss() const { return options_.loss_scaling; }
  LossScaler& scaler() { return scaler_; }
  /// Averaged weights, in the order of for_each_param; empty without ema_decay.
  std::vector<at::Tensor>& ema() { return ema_; }
  int64_t skipped_steps() const { return skipped_; }

 private:
  struct Features {
    at::Tensor image, text;
  };
  Mode mode(int64_t step, int64_t pass) const;
  Features features(const DeviceBatch& batch, const Mode& mode);
  at::Tensor loss(const Features& features, bool scale_counts);
  DistilledLoss taught_loss(const DeviceBatch& batch, const Features& features);
  void backward_one(const DeviceBatch& batch, int64_t step, StepReport& report);
  at::Tensor backward_accumulated(std::span<const DeviceBatch> batches, int64_t step);
  void backward(const at::Tensor& loss);
  bool all_finite(const at::Tensor& loss);
  void update_ema();

  Params& params_;
  const model::ClipConfig& config_;
  Group& group_;
  StepOptions options_;
  Optimizer optimizer_;
  GradientReducer reducer_;
  LossScaler scaler_;
  std::vector<at::Tensor> ema_;
  int64_t skipped_ = 0;
};

}  // namespace clipnext::train

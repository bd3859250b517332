#include "train/step.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <utility>

#include "base/error.h"
#include "train/clip.h"
#include "train/teacher.h"

namespace clipnext::train {
namespace {

constexpr double kMaxLogitScale = 4.605170185988092;  // ln 100

std::vector<at::Tensor> trained(Optimizer& optimizer) {
  std::vector<at::Tensor> parameters;
  for (SlotGroup& group : optimizer.groups()) {
    for (Slot& slot : group.slots) parameters.push_back(slot.parameter);
  }
  return parameters;
}

}  // namespace

Stepper::Stepper(Params& params, const model::ClipConfig& config, Optimizer optimizer, Group& group,
                 const StepOptions& options)
    : params_(params),
      config_(config),
      group_(group),
      options_(options),
      optimizer_(std::move(optimizer)),
      reducer_(trained(optimizer_), group) {
  const at::NoGradGuard no_grad;
  for_each_param(params_, config_, [&](at::Tensor& t, const model::ParamInfo&) {
    at::Tensor plain = t.detach();
    group_.broadcast(plain);
    if (options_.ema_decay) ema_.push_back(plain.clone());
  });
}

Mode Stepper::mode(int64_t step, int64_t pass) const {
  return {.training = true,
          .checkpoint = options_.checkpoint,
          .freeze_batch_norm = options_.freeze_batch_norm,
          .batch_norm_group = options_.share_batch_norm && group_.size() > 1 ? &group_ : nullptr,
          .autocast = options_.autocast,
          .random = pass_key(options_.seed, group_.rank(), step, pass)};
}

Stepper::Features Stepper::features(const DeviceBatch& batch, const Mode& mode) {
  const UnitFeatures unit = unit_features(params_, config_, batch.pixels, batch.tokens, mode);
  return {unit.image.to(at::kFloat), unit.text.to(at::kFloat)};
}

/// scale_counts: the scale's own gradient is wanted too.
at::Tensor Stepper::loss(const Features& features, bool scale_counts) {
  const auto live = [&](const at::Tensor& t) {
    const at::Tensor used = scale_counts ? t : t.detach();
    return used.to(at::kFloat);
  };
  const at::Tensor scale = live(params_.logit_scale).exp();
  std::optional<at::Tensor> bias;
  if (config_.has_logit_bias) bias = live(params_.logit_bias);
  if (!options_.sigmoid_loss) {
    return contrastive_loss(features.image, features.text, scale, bias, group_, options_.loss);
  }
  require(bias.has_value(), "the sigmoid loss needs a model with a logit bias (init_logit_bias)");
  return sigmoid_loss(features.image, features.text, scale, *bias, group_, options_.loss);
}

void Stepper::backward(const at::Tensor& loss) {
  torch::autograd::backward({options_.loss_scaling ? loss * scaler_.scale : loss}, {});
}

DistilledLoss Stepper::taught_loss(const DeviceBatch& batch, const Features& features) {
  const at::Tensor scale = params_.logit_scale.to(at::kFloat).exp();
  return distilled_loss(features.image, features.text, scale,
                        options_.teacher->features(batch.pixels, batch.tokens, options_.autocast),
                        group_, options_.loss);
}

void Stepper::backward_one(const DeviceBatch& batch, int64_t step, StepReport& report) {
  reducer_.begin();
  const Features seen = features(batch, mode(step, 0));
  at::Tensor value;
  if (options_.teacher != nullptr) {
    const DistilledLoss parts = taught_loss(batch, seen);
    value = parts.total;
    report.distill = parts.distill;
  } else {
    value = loss(seen, true);
  }
  backward(value);
  report.loss = value.detach();
}

at::Tensor Stepper::backward_accumulated(std::span<const DeviceBatch> batches, int64_t step) {
  std::vector<at::Tensor> images, texts;
  {
    const at::NoGradGuard no_grad;
    for (size_t j = 0; j < batches.size(); ++j) {
      const Features seen = features(batches[j], mode(step, static_cast<int64_t>(j)));
      images.push_back(seen.image);
      texts.push_back(seen.text);
    }
  }
  at::Tensor value;
  for (size_t j = 0; j < batches.size(); ++j) {
    const bool last = j + 1 == batches.size();
    if (last) reducer_.begin();  // gradients add up until then
    // The masks of the first time, so that these are the features the others were computed beside.
    const Features live = features(batches[j], mode(step, static_cast<int64_t>(j)));
    const auto with = [&](std::vector<at::Tensor> all, const at::Tensor& mine) {
      all[j] = mine;
      return at::cat(all);
    };
    value = loss({with(images, live.image), with(texts, live.text)},
                 last || !options_.fix_accumulated_scale);
    backward(value);
  }
  return value.detach();
}

bool Stepper::all_finite(const at::Tensor& loss) {
  // A rank's loss is its own; the decision is everybody's.
  at::Tensor bad = loss.isfinite().logical_not().to(at::kFloat);
  group_.all_reduce(bad);
  return bad.item<float>() == 0;
}

StepReport Stepper::step(std::span<const DeviceBatch> batches, double lr, int64_t index) {
  require(!batches.empty(), "a step without batches");
  optimizer_.zero_grad();
  StepReport report;
  if (batches.size() == 1) {
    backward_one(batches[0], index, report);
  } else {
    require(options_.teacher == nullptr, "distillation accumulates no batches");
    report.loss = backward_accumulated(batches, index);
  }
  reducer_.finish();

  const at::NoGradGuard no_grad;
  bool finite = all_finite(report.loss);
  if (options_.loss_scaling) {
    for (const at::Tensor& p : trained(optimizer_)) {
      if (p.grad().defined()) p.mutable_grad().mul_(1 / scaler_.scale);
    }
  }
  if (options_.clip_norm || options_.loss_scaling || options_.on_nan == OnNan::kSkip) {
    report.gradient_norm = optimizer_.clip_gradients(options_.clip_norm.value_or(0));
    finite = finite && std::isfinite(report.gradient_norm);
  }
  if (options_.loss_scaling) {
    scaler_.update(!finite);
  } else {
    require(finite || options_.on_nan == OnNan::kSkip, "step ", index,
            ": the loss or a gradient is not finite; a lower --lr, a longer --warmup or "
            "--grad-clip-norm may help, --on-nan skip goes on without such steps");
  }
  if (finite) {
    optimizer_.step(lr);
    update_ema();
  } else {
    report.skipped = true;
    ++skipped_;
  }
  params_.logit_scale.clamp_(0, kMaxLogitScale);
  report.logit_scale = std::exp(params_.logit_scale.item<double>());
  return report;
}

void Stepper::update_ema() {
  if (!options_.ema_decay) return;
  size_t i = 0;
  for_each_param(params_, config_, [&](at::Tensor& t, const model::ParamInfo&) {
    ema_[i++].lerp_(t.detach(), 1 - *options_.ema_decay);
  });
}

}  // namespace clipnext::train

#include "train/update_rules.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/device.h"
#include "train/muon.h"

namespace clipnext::train {
namespace {

// ---- what several of them share ----

/// Factor of the parameter itself in decoupled decay; with corrected_weight_decay as in Defazio,
/// arXiv:2506.02285.
double decay(const UpdateContext& context) {
  const bool corrected = context.options.find("corrected_weight_decay") != nullptr &&
                         context.options.flag("corrected_weight_decay");
  const double rate =
      corrected ? context.lr * context.lr / context.options.number("max_lr_snapshot") : context.lr;
  return rate * context.weight_decay;
}

void decay_parameter(Slot& slot, const UpdateContext& context) {
  slot.parameter.mul_(1 - decay(context));
}

/// Liang et al., arXiv:2411.16085: only where the update has the sign of the gradient, the rest
/// larger for it.
void apply_caution(at::Tensor& update, const at::Tensor& gradient) {
  const at::Tensor mask = (update * gradient).gt(0).to(gradient.scalar_type());
  update.mul_(mask / mask.mean().clamp_min(1e-3));
}

/// Moves both averages, and returns the square root of the second, its bias corrected.
at::Tensor move_averages(Slot& slot, const at::Tensor& gradient, double beta1, double beta2) {
  slot.state[0].lerp_(gradient, 1 - beta1);
  slot.state[1].mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
  return slot.state[1].sqrt();
}

// ---- the rules ----

void adamw(std::span<Slot* const> slots, const UpdateContext& context) {
  // One call for all tensors, which are of one kind.
  std::vector<at::Tensor> parameters, gradients, averages, squares, steps;
  for (Slot* slot : slots) {
    parameters.push_back(slot->parameter);
    gradients.push_back(slot->parameter.grad());
    averages.push_back(slot->state[0]);
    squares.push_back(slot->state[1]);
    steps.push_back(slot->step);
  }
  const at::Device device = slots[0]->parameter.device();
  if (!device.is_cpu()) steps = send(at::stack(steps), device).unbind();
  const auto [beta1, beta2] = context.options.pair("betas");
  const double eps = context.options.number("eps");
  if (context.options.flag("decoupled_weight_decay")) {
    at::_fused_adamw_(parameters, gradients, averages, squares, {}, steps, context.lr, beta1, beta2,
                      context.weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false);
  } else {
    at::_fused_adam_(parameters, gradients, averages, squares, {}, steps, context.lr, beta1, beta2,
                     context.weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false);
  }
}

void nadam(std::span<Slot* const> slots, const UpdateContext& context) {
  const auto [beta1, beta2] = context.options.pair("betas");
  const double eps = context.options.number("eps");
  const double momentum_decay = context.options.number("momentum_decay");
  const bool decoupled = context.options.flag("decoupled_weight_decay");
  for (Slot* slot : slots) {
    const double step = slot->step.item<double>();
    at::Tensor gradient = slot->parameter.grad();
    if (decoupled) {
      decay_parameter(*slot, context);
    } else if (context.weight_decay != 0) {
      gradient = gradient.add(slot->parameter, context.weight_decay);
    }
    const auto mu_at = [&, first = beta1](double t) {
      return first * (1 - 0.5 * std::pow(0.96, t * momentum_decay));
    };
    const double mu = mu_at(step), next = mu_at(step + 1);
    slot->mu_product *= static_cast<float>(mu);
    const double product = slot->mu_product;
    slot->state[0].lerp_(gradient, 1 - beta1);
    slot->state[1].mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
    const at::Tensor size = slot->state[1].div(1 - std::pow(beta2, step)).sqrt_().add_(eps);
    slot->parameter.addcdiv_(gradient, size, -context.lr * (1 - mu) / (1 - product));
    slot->parameter.addcdiv_(slot->state[0], size, -context.lr * next / (1 - product * next));
  }
}

void timm_nadamw(std::span<Slot* const> slots, const UpdateContext& context) {
  const auto [beta1, beta2] = context.options.pair("betas");
  const double eps = context.options.number("eps");
  const bool caution = context.options.flag("caution");
  const bool clips = !context.options.is_none("clipping_threshold");
  for (Slot* slot : slots) {
    const double step = slot->step.item<double>();
    const at::Tensor gradient = slot->parameter.grad();
    decay_parameter(*slot, context);
    at::Tensor size = move_averages(*slot, gradient, beta1, beta2);
    size.div_(std::sqrt(1 - std::pow(beta2, step))).add_(eps);
    if (clips) {  // by the root mean square, arXiv:2304.13013
      const double root = std::sqrt(static_cast<double>(gradient.numel()));
      const at::Tensor rms = gradient.div(size).norm() / root;
      size.mul_((rms / context.options.number("clipping_threshold")).clamp_min(1));
    }
    at::Tensor ahead = slot->state[0].lerp(gradient, 1 - beta1);  // Nesterov's
    if (caution) apply_caution(ahead, gradient);
    slot->parameter.addcdiv_(ahead, size, -context.lr / (1 - std::pow(beta1, step)));
  }
}

void lamb(std::span<Slot* const> slots, const UpdateContext& context) {
  const model::OptimizerOptions& options = context.options;
  const auto [beta1, beta2] = options.pair("betas");
  const double eps = options.number("eps");
  const bool corrects = options.flag("bias_correction");
  const bool adapts = context.weight_decay != 0 || options.flag("always_adapt");
  double shrink = 1;
  if (!options.is_none("max_grad_norm")) {
    shrink = std::max(1.0, context.gradient_norm / options.number("max_grad_norm"));
  }
  for (Slot* slot : slots) {
    const double step = slot->step.item<double>();
    const at::Tensor gradient = slot->parameter.grad().div(shrink);
    at::Tensor &average = slot->state[0], &square = slot->state[1];
    if (options.flag("grad_averaging")) {
      average.lerp_(gradient, 1 - beta1);
    } else {
      average.mul_(beta1).add_(gradient);
    }
    square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
    const double correction1 = corrects ? 1 - std::pow(beta1, step) : 1;
    const double correction2 = corrects ? 1 - std::pow(beta2, step) : 1;
    const at::Tensor size = square.sqrt().div_(std::sqrt(correction2)).add_(eps);
    at::Tensor update = (average / correction1).div_(size);
    if (options.flag("caution")) apply_caution(update, gradient);
    if (context.weight_decay != 0 && options.flag("decoupled_decay")) {
      slot->parameter.add_(slot->parameter, -decay(context));
    } else if (context.weight_decay != 0) {
      update.add_(slot->parameter, context.weight_decay);
    }
    if (adapts) {
      const at::Tensor weight = slot->parameter.norm(2), length = update.norm(2);
      at::Tensor trust =
          at::where(weight.gt(0) & length.gt(0), weight / length, at::ones_like(weight));
      if (options.flag("trust_clip")) trust.clamp_max_(1);
      update.mul_(trust);
    }
    slot->parameter.add_(update, -context.lr);
  }
}

void lion(std::span<Slot* const> slots, const UpdateContext& context) {
  const auto [beta1, beta2] = context.options.pair("betas");
  const bool caution = context.options.flag("caution");
  for (Slot* slot : slots) {
    const at::Tensor gradient = slot->parameter.grad();
    decay_parameter(*slot, context);
    at::Tensor update = slot->state[0].lerp(gradient, 1 - beta1).sign_();
    if (caution) apply_caution(update, gradient);
    slot->parameter.add_(update, -context.lr);
    slot->state[0].lerp_(gradient, 1 - beta2);
  }
}

/// The gradient with momentum; the buffer begins as the first gradient.
at::Tensor with_momentum(Slot& slot, const at::Tensor& gradient, const UpdateContext& context,
                         bool caution) {
  const double momentum = context.options.number("momentum");
  if (momentum == 0) return gradient;
  at::Tensor& buffer = slot.state[0];
  if (slot.step.item<float>() == 1) {
    buffer.copy_(gradient);
  } else {
    buffer.mul_(momentum).add_(gradient, 1 - context.options.number("dampening"));
  }
  at::Tensor update =
      context.options.flag("nesterov") ? gradient.add(buffer, momentum) : buffer.clone();
  if (caution) apply_caution(update, gradient);
  return update;
}

void sgd(std::span<Slot* const> slots, const UpdateContext& context) {
  for (Slot* slot : slots) {
    at::Tensor gradient = slot->parameter.grad();
    if (context.weight_decay != 0) gradient = gradient.add(slot->parameter, context.weight_decay);
    slot->parameter.add_(with_momentum(*slot, gradient, context, false), -context.lr);
  }
}

void sgdw(std::span<Slot* const> slots, const UpdateContext& context) {
  const bool caution = context.options.flag("caution");
  for (Slot* slot : slots) {
    decay_parameter(*slot, context);
    const at::Tensor update = with_momentum(*slot, slot->parameter.grad(), context, caution);
    slot->parameter.add_(update, -context.lr);
  }
}

void adopt(std::span<Slot* const> slots, const UpdateContext& context) {
  const model::OptimizerOptions& options = context.options;
  const auto [beta1, beta2] = options.pair("betas");
  const double eps = options.number("eps");
  const bool decoupled = options.flag("decoupled"), caution = options.flag("caution");
  for (Slot* slot : slots) {
    const double step = slot->step.item<double>();
    at::Tensor gradient = slot->parameter.grad();
    if (context.weight_decay != 0 && !decoupled) {
      gradient = gradient.add(slot->parameter, context.weight_decay);
    }
    if (step == 1) {  // there is no earlier gradient to go by
      slot->state[1].addcmul_(gradient, gradient);
      continue;
    }
    if (context.weight_decay != 0 && decoupled) {
      slot->parameter.add_(slot->parameter, -decay(context));
    }
    const at::Tensor normed = gradient.div(slot->state[1].sqrt().clamp_min_(eps));
    if (!options.is_none("clip_exp")) {
      const double most = std::pow(step - 1, options.number("clip_exp"));
      normed.clamp_(-most, most);
    }
    slot->state[0].lerp_(normed, 1 - beta1);
    at::Tensor update = slot->state[0];
    if (caution) {
      update = update.clone();
      apply_caution(update, gradient);
    }
    slot->parameter.add_(update, -context.lr);
    slot->state[1].mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
  }
}

}  // namespace

UpdateRule update_rule(model::OptimizerRule rule) {
  using enum model::OptimizerRule;
  switch (rule) {
    case kAdamW:
      return adamw;
    case kNAdam:
      return nadam;
    case kTimmNAdamW:
      return timm_nadamw;
    case kLamb:
      return lamb;
    case kLion:
      return lion;
    case kSgd:
      return sgd;
    case kSgdW:
      return sgdw;
    case kAdopt:
      return adopt;
    case kMuon:
      return muon;
  }
  fail("an optimizer without a rule");
}

}  // namespace clipnext::train

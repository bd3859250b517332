#include "train/optimizer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <utility>

namespace clipnext::train {

Slot make_slot(std::string name, const at::Tensor& parameter) {
  const auto options = parameter.options().requires_grad(false);
  return {.name = std::move(name),
          .parameter = parameter,
          .exp_avg = at::zeros_like(parameter, options),
          .exp_avg_sq = at::zeros_like(parameter, options),
          .step = at::zeros({}, at::kFloat)};
}

AdamW::AdamW(std::vector<SlotGroup> groups, const AdamOptions& options)
    : groups_(std::move(groups)), options_(options) {}

void AdamW::step(double lr) {
  const at::NoGradGuard no_grad;
  last_lr_ = lr;
  for (SlotGroup& group : groups_) {
    // One call for all tensors of a kind; the step counts lie where the parameters do.
    std::map<std::pair<at::ScalarType, at::Device>, std::vector<Slot*>,
             decltype([](const auto& a, const auto& b) {
               return std::pair(a.first, a.second.str()) < std::pair(b.first, b.second.str());
             })>
        kinds;
    for (Slot& slot : group.slots) {
      if (!slot.parameter.grad().defined()) continue;
      kinds[{slot.parameter.scalar_type(), slot.parameter.device()}].push_back(&slot);
    }
    for (const auto& [kind, slots] : kinds) {
      std::vector<at::Tensor> parameters, gradients, averages, squares, steps;
      for (Slot* slot : slots) {
        parameters.push_back(slot->parameter);
        gradients.push_back(slot->parameter.grad());
        averages.push_back(slot->exp_avg);
        squares.push_back(slot->exp_avg_sq);
        slot->step.add_(1);
        steps.push_back(slot->step.to(kind.second));
      }
      at::_fused_adamw_(parameters, gradients, averages, squares, {}, steps, lr * group.lr_scale,
                        options_.beta1, options_.beta2, group.weight_decay, options_.eps,
                        /*amsgrad=*/false, /*maximize=*/false);
    }
  }
}

void AdamW::zero_grad() {
  for (SlotGroup& group : groups_) {
    for (Slot& slot : group.slots) slot.parameter.mutable_grad() = at::Tensor();
  }
}

double AdamW::clip_gradients(double limit) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (SlotGroup& group : groups_) {
    for (Slot& slot : group.slots) {
      if (slot.parameter.grad().defined()) gradients.push_back(slot.parameter.grad());
    }
  }
  if (gradients.empty()) return 0;
  const at::Tensor total = at::stack(at::_foreach_norm(gradients, 2)).norm(2);
  const auto norm = total.item<double>();
  if (limit > 0) {
    const double factor = limit / (norm + 1e-6);
    if (factor < 1) at::_foreach_mul_(gradients, at::Scalar(factor));
  }
  return norm;
}

}  // namespace clipnext::train

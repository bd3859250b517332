#include "train/optimizer.h"

#include <ATen/core/grad_mode.h>

#include <map>
#include <utility>

#include "model/muon.h"
#include "train/update_rules.h"

namespace clipnext::train {

Optimizer::Optimizer(model::OptimizerKind kind, std::vector<SlotGroup> groups)
    : kind_(std::move(kind)), groups_(std::move(groups)) {
  for (SlotGroup& group : groups_) {
    for (Slot& slot : group.slots) {
      const auto options = slot.parameter.options().requires_grad(false);
      slot.step = at::zeros({}, at::kFloat);
      slot.by_muon = kind_.rule == model::OptimizerRule::kMuon && !group.fallback &&
                     model::suits_muon(slot.parameter.sizes());
      const size_t tensors = model::state_names(kind_, slot.by_muon).size();
      for (size_t i = 0; i < tensors; ++i) {
        slot.state.push_back(at::zeros_like(slot.parameter, options));
      }
    }
  }
}

void Optimizer::step(double lr) {
  const at::NoGradGuard no_grad;
  last_lr_ = lr;
  const UpdateRule update = update_rule(kind_.rule);
  const bool asks_norm = kind_.rule == model::OptimizerRule::kLamb;
  const double norm = asks_norm ? clip_gradients(0) : 0;
  for (SlotGroup& group : groups_) {
    std::map<std::pair<at::ScalarType, at::Device>, std::vector<Slot*>,
             decltype([](const auto& a, const auto& b) {
               return std::pair(a.first, a.second.str()) < std::pair(b.first, b.second.str());
             })>
        kinds;
    for (Slot& slot : group.slots) {
      if (!slot.parameter.grad().defined()) continue;
      slot.step.add_(1);
      kinds[{slot.parameter.scalar_type(), slot.parameter.device()}].push_back(&slot);
    }
    const UpdateContext context{.options = kind_.options,
                                .lr = lr * group.lr_scale,
                                .weight_decay = group.weight_decay,
                                .gradient_norm = norm};
    for (const auto& [kind, slots] : kinds) update(slots, context);
  }
}

void Optimizer::zero_grad() {
  for (SlotGroup& group : groups_) {
    for (Slot& slot : group.slots) slot.parameter.mutable_grad() = at::Tensor();
  }
}

std::vector<at::Tensor> Optimizer::gradients() {
  std::vector<at::Tensor> found;
  for (SlotGroup& group : groups_) {
    for (Slot& slot : group.slots) {
      if (slot.parameter.grad().defined()) found.push_back(slot.parameter.grad());
    }
  }
  return found;
}

double Optimizer::clip_gradients(double limit) {
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> all = gradients();
  if (all.empty()) return 0;
  const at::Tensor total = at::stack(at::_foreach_norm(all, 2)).norm(2);
  const auto norm = total.item<double>();
  if (limit > 0) {
    const double factor = limit / (norm + 1e-6);
    if (factor < 1) at::_foreach_mul_(all, at::Scalar(factor));
  }
  return norm;
}

model::OptimizerOptions Optimizer::options_of(const SlotGroup& group) const {
  model::OptimizerOptions options = kind_.options;
  options.set("lr", last_lr_ * group.lr_scale);
  options.set("weight_decay", group.weight_decay);
  // Behind weight_decay, as both are of the group and not of the constructor.
  if (group.fallback) options.items.emplace(options.items.begin() + 1, "use_fallback", true);
  return options;
}

}  // namespace clipnext::train

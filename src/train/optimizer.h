// Updates of parameters in groups, as PyTorch and timm compute them.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/optimizer_kinds.h"

namespace clipnext::train {

/// A parameter and what the optimizer remembers of it; its tensors are of the parameter's type and
/// device.
struct Slot {
  std::string name;
  at::Tensor parameter;
  bool by_muon = false;                // Muon's alone: not left to its AdamW; see Optimizer()
  std::vector<at::Tensor> state = {};  // as model::state_names() has them
  at::Tensor step = {};                // [] float32 on the host, updates so far
  float mu_product = 1;                // NAdam's
};

struct SlotGroup {
  std::vector<Slot> slots;
  double weight_decay = 0;
  double lr_scale = 1;    // layer-wise learning rates
  bool fallback = false;  // of Muon: all are left to its AdamW
};

/// One kind of optimizer over groups of parameters. Which kind decides the update alone: groups,
/// clipping and state are the same for all.
class Optimizer {
 public:
  /// Of each slot name and parameter; the rest is made here.
  Optimizer(model::OptimizerKind kind, std::vector<SlotGroup> groups);

  /// One update of every parameter that has a gradient.
  void step(double lr);
  /// Forgets the gradients.
  void zero_grad();
  /// L2 norm of all gradients (norm of the parameters' norms, float32), and, where it is above
  /// `limit` > 0, all gradients scaled to it: torch.nn.utils.clip_grad_norm_.
  double clip_gradients(double limit);

  std::vector<SlotGroup>& groups() { return groups_; }
  const model::OptimizerKind& kind() const { return kind_; }
  /// A group's options as its state_dict has them after the last step.
  model::OptimizerOptions options_of(const SlotGroup& group) const;

 private:
  std::vector<at::Tensor> gradients();

  model::OptimizerKind kind_;
  std::vector<SlotGroup> groups_;
  double last_lr_ = 0;
};

}  // namespace clipnext::train

// AdamW as PyTorch computes it, over groups of parameters.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

namespace clipnext::train {

/// A parameter and what the optimizer remembers of it; moments are of its type and device.
struct Slot {
  std::string name;
  at::Tensor parameter;
  at::Tensor exp_avg, exp_avg_sq;
  at::Tensor step;  // [] float32 on the host, updates so far
};

struct SlotGroup {
  std::vector<Slot> slots;
  double weight_decay = 0;
  double lr_scale = 1;  // layer-wise learning rates
};

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
};

/// Fresh moments for a parameter.
Slot make_slot(std::string name, const at::Tensor& parameter);

/// Loshchilov and Hutter, arXiv:1711.05101, in PyTorch's order (spec: training.md 5.2).
class AdamW {
 public:
  AdamW(std::vector<SlotGroup> groups, const AdamOptions& options);

  /// One update of every parameter that has a gradient.
  void step(double lr);
  /// Forgets the gradients.
  void zero_grad();
  /// L2 norm of all gradients (norm of the parameters' norms, float32), and, where it is above
  /// `limit` > 0, all gradients scaled to it: torch.nn.utils.clip_grad_norm_.
  double clip_gradients(double limit);

  std::vector<SlotGroup>& groups() { return groups_; }
  const AdamOptions& options() const { return options_; }
  /// Of the last step.
  double last_lr() const { return last_lr_; }

 private:
  std::vector<SlotGroup> groups_;
  AdamOptions options_;
  double last_lr_ = 0;
};

}  // namespace clipnext::train

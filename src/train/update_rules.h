// The arithmetic of the optimizers of model/optimizer_kinds.h, each a function of its own.
#pragma once

#include <span>

#include "train/optimizer.h"

namespace clipnext::train {

/// What an update goes by besides the slots.
struct UpdateContext {
  const model::OptimizerOptions& options;
  double lr = 0;
  double weight_decay = 0;
  double gradient_norm = 0;  // of all parameters together; LAMB alone asks for it
};

/// Updates parameters that have gradients, are of one type and on one device; their steps are
/// counted already.
using UpdateRule = void (*)(std::span<Slot* const> slots, const UpdateContext& context);

UpdateRule update_rule(model::OptimizerRule rule);

}  // namespace clipnext::train

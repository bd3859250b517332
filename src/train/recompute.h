// Gradient checkpointing: what a block computes on its way is not kept for the backward pass but
// computed again there.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <vector>

namespace clipnext::train {

using Computation = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

/// compute(inputs), keeping only the inputs. Everything that needs a gradient must be among them,
/// parameters too, which so get theirs once, in the outer backward pass. The computation is run
/// again under the autocast it first ran under; what is random in it must come from captured masks
/// or keys, so that both runs are the same bit for bit.
at::Tensor recompute(Computation compute, const std::vector<at::Tensor>& inputs);

}  // namespace clipnext::train

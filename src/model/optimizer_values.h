// An optimizer's state as torch.optim and timm write it: state by number, groups of numbers.
#pragma once

#include <string>

#include "model/training_state.h"
#include "weights/torch_value.h"

namespace clipnext::model {

/// The optimizer's state_dict() of PyTorch 2.15: parameters numbered through the groups.
weights::TorchValue optimizer_to_torch(const OptimizerState& optimizer);

/// The other way. Which number is which parameter follows from the sizes of the groups and the
/// shapes of the moments: the first grouping that fits, of `own` (of the run that asks; empty if
/// none does) and those that open_clip's trainers make (either DecayRule, or one group) of the
/// parameters in `own`, then of all. Whose rule it is is not looked at. `what` stands in messages.
/// Throws Error if none fits (it says where each fails), and for options that ours do not have.
OptimizerState optimizer_from_torch(const weights::TorchValue& value, const ClipConfig& config,
                                    const ParamGroups& own, const std::string& what);

}  // namespace clipnext::model

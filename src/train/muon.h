// Muon and AdaMuon, and the AdamW of the parameters that they leave.
#pragma once

#include "train/update_rules.h"

namespace clipnext::train {

/// timm.optim.Muon 1.0.31, which multiplies matrices in bfloat16, whatever the parameters' type.
void muon(std::span<Slot* const> slots, const UpdateContext& context);

}  // namespace clipnext::train

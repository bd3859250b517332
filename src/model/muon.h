// Muon beside its arithmetic, as timm 1.0.31 has it: which parameters it takes, and the arguments
// that are not plain numbers.
#pragma once

#include <cstdint>
#include <span>

#include "model/optimizer_kinds.h"

namespace clipnext::model {

/// Whether Muon updates a parameter of this shape and does not leave it to its AdamW: matrices and
/// convolutions, but not of one channel in or out, fewer than 4 rows or columns, or sides more than
/// 128 to 1; a convolution counts as [out, in * h * w].
bool suits_muon(std::span<const int64_t> shape);

/// The polynomial of each of ns_steps: ns_coefficients as given or as their name says, the last one
/// for all further steps.
Coefficients newton_schulz_steps(const OptimizerOptions& options);

/// Throws Error for names that Muon does not know (it lists those it does), and numbers it refuses.
void check_muon(const OptimizerOptions& options);

}  // namespace clipnext::model

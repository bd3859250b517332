// --opt, --opt-kwargs and the rest that says how parameters are updated.
#pragma once

#include "model/optimizer_kinds.h"
#include "run/options.h"

namespace clipnext::run {

/// Whether --opt is one of timm's, whose defaults are its own and whose groups timm makes.
bool is_timm_optimizer(const TrainOptions& options);

/// The optimizer with the options that the command line gives it, --opt-kwargs last. Throws Error
/// for an optimizer that is not among those of model/optimizer_kinds.h, and for options that it
/// does not have.
model::OptimizerKind optimizer_config(const TrainOptions& options);

}  // namespace clipnext::run

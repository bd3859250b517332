// What training wrappers add to the names of tensors.
#pragma once

#include <string>

#include "weights/tensor.h"

namespace clipnext::weights {

/// Takes torch.compile's component `_orig_mod.` out of names, wherever it stands, and
/// data-parallel training's `module.` from their front if every name has it. Throws Error naming
/// `source` if two names become one.
void unwrap_names(TensorMap& tensors, const std::string& source);

}  // namespace clipnext::weights

// Which parts of a PyTorch pickle are the weights, and what they are called.
#pragma once

#include "weights/checkpoint.h"
#include "weights/torch_tensor.h"

namespace clipnext::weights {

/// From a tensor: itself, as "arr_0". From a dict: its `state_dict` entry, or that named `model` if
/// no tensor stands beside it, or the dict itself; numbers and short texts become metadata,
/// everything else (an optimizer's state) is left alone. Throws Error that names the file if there
/// is no tensor, or one cannot be read.
void read_state_dict(const Pickle& pickle, TorchTensors& tensors, const std::string& name,
                     Checkpoint& checkpoint);

/// From TorchScript modules: every tensor under the dotted path of attributes that leads to it, as
/// in the module's state_dict(); numbers and texts become metadata under their paths.
void read_module_state(const Pickle& pickle, TorchTensors& tensors, const std::string& name,
                       Checkpoint& checkpoint);

}  // namespace clipnext::weights

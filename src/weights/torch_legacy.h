// torch.save's format before PyTorch 1.6: five pickles, then the storages one after another.
#pragma once

#include "weights/checkpoint.h"
#include "weights/source.h"
#include "weights/torch_tensor.h"

namespace clipnext::weights {

bool is_torch_legacy(std::span<const std::byte> bytes);

/// The object's pickle and its storages; `source` must outlive the result.
TorchFile open_torch_legacy(const Source& source);

/// As read_torch_zip.
Checkpoint read_torch_legacy(const Source& source);

}  // namespace clipnext::weights

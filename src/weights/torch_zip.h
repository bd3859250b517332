// PyTorch's zip container: state dicts and training checkpoints of torch.save, TorchScript
// archives.
#pragma once

#include "weights/checkpoint.h"
#include "weights/zip.h"

namespace clipnext::weights {

/// Whether the archive holds a PyTorch pickle.
bool is_torch_zip(const ZipRecords& records);

/// `records` is list_zip(source). Tensors stay where they lie if dense. Throws Error if the pickle
/// names anything that weights do not need, or does not fit the records.
Checkpoint read_torch_zip(const Source& source, const ZipRecords& records);

}  // namespace clipnext::weights

// PyTorch's zip container: state dicts and training checkpoints of torch.save, TorchScript
// archives.
#pragma once

#include "weights/checkpoint.h"
#include "weights/torch_tensor.h"
#include "weights/zip.h"

namespace clipnext::weights {

/// Whether the archive holds a PyTorch pickle.
bool is_torch_zip(const ZipRecords& records);
/// Whether that pickle is of modules, not of values.
bool is_torch_script(const ZipRecords& records);

/// The pickle and its storages; `records` is list_zip(source), and both must outlive the result.
/// With `verify_bytes` each storage is held to its checksum when it is first asked for.
TorchFile open_torch_zip(const Source& source, const ZipRecords& records,
                         bool verify_bytes = false);

/// `records` is list_zip(source). Tensors stay where they lie if dense. Throws Error if the pickle
/// names anything that weights do not need, or does not fit the records.
Checkpoint read_torch_zip(const Source& source, const ZipRecords& records);

}  // namespace clipnext::weights

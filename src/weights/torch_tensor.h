// Tensors inside a PyTorch pickle: a storage and a strided view of it.
#pragma once

#include <functional>

#include "weights/pickle.h"
#include "weights/tensor.h"

namespace clipnext::weights {

/// The globals that state dicts and TorchScript modules are made of.
bool is_torch_global(std::string_view global);

/// What a persistent id says of a storage.
struct TorchStorage {
  std::string_view key;
  /// "torch.FloatStorage", ...; "torch.storage.UntypedStorage" counts in bytes.
  std::string_view type;
  int64_t numel = 0;
  /// Legacy files may cut a storage out of another: its first element there, and whether.
  int64_t view_offset = 0;
  bool is_view = false;
};
/// From the node of a persistent id; throws Error if it is not a storage.
TorchStorage parse_storage(const PickleNode& persistent, const std::string& what);

/// Element type of a storage type's name; throws Error if there is none in DType.
DType storage_dtype(std::string_view storage_type, const std::string& what);
/// The other way.
std::string_view storage_name(DType dtype);
/// Bytes per element, also of element types that DType lacks.
int64_t storage_item_size(std::string_view storage_type, const std::string& what);

/// All bytes of a storage in the file.
using FindStorage = std::function<std::span<const std::byte>(const TorchStorage&)>;

/// A file of torch.save or TorchScript, opened. Refers to the source that it was opened from.
struct TorchFile {
  Pickle pickle;
  FindStorage find_storage;
  bool script = false;
};

/// Makes tensors of one file.
class TorchTensors {
 public:
  TorchTensors(const Source& source, FindStorage find_storage);

  /// Whether the value is a tensor, perhaps inside a parameter.
  static bool is_tensor(const PickleValue& value);
  /// The tensor: the file's own bytes where it is dense and row-major there, a copy otherwise.
  /// Throws Error if its type is not in DType, if it reaches beyond its storage, or if the copies
  /// of one file grow far beyond the file (a few bytes with zero strides can stand for terabytes).
  Tensor read(const PickleValue& value, const std::string& what);

 private:
  Tensor gather(std::span<const std::byte> elements, DType dtype, Shape shape, const Shape& strides,
                const std::string& what);

  const Source& source_;
  FindStorage find_storage_;
  int64_t copy_budget_;
};

}  // namespace clipnext::weights

// Whole files of torch.save as values: what a training checkpoint holds beside its weights. Reading
// runs nothing; writing gives what torch.load(weights_only=True) opens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weights/tensor.h"

namespace clipnext::weights {

/// A Python value.
struct TorchValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,   // integer
    kInt,    // integer
    kFloat,  // number
    kText,   // text
    kTensor,
    kList,   // items
    kTuple,  // items
    kDict,   // items, each with its key; in order of insertion
    kOther   // only from reading: an object that none of the others is; text says which
  };
  using Key = std::variant<int64_t, std::string>;

  Kind kind = Kind::kNone;
  bool ordered = false;  // kDict: a collections.OrderedDict
  int64_t integer = 0;
  double number = 0;
  std::string text;
  Tensor tensor;
  std::vector<TorchValue> items;
  std::vector<Key> keys;

  bool is(Kind k) const { return kind == k; }
  /// Appends to a list or tuple; with a key to a dict, which must not have it yet.
  void add(TorchValue item);
  void add(Key key, TorchValue item);
  /// A dict's value, the last if the key stands there twice; nullptr without, and for other kinds.
  const TorchValue* find(const Key& key) const;
};

TorchValue torch_bool(bool value);
TorchValue torch_int(int64_t value);
TorchValue torch_float(double value);
TorchValue torch_text(std::string value);
TorchValue torch_tensor(Tensor value);
TorchValue torch_list(std::vector<TorchValue> items = {});
TorchValue torch_tuple(std::vector<TorchValue> items = {});
TorchValue torch_dict(bool ordered = false);

/// "a dict", "a tensor", ...: for messages.
std::string_view kind_name(TorchValue::Kind kind);

/// Writes as torch.save does: zip, pickle of protocol 2, each storage a record of its own. Tensors
/// of the same bytes (tied weights) share one; none is copied. The file appears whole or not at all
/// (base/file.h). Throws Error for kOther, and if the file cannot be written.
void write_torch_values(const std::filesystem::path& path, const TorchValue& value);

/// Reads a file of torch.save, zip or legacy. Tensors stay where they lie if dense. With
/// `verify_bytes` every record is held to its checksum, where the file has them: the whole file is
/// read for it. Throws Error that names the file for TorchScript, for what the readers of weights
/// refuse (weights/pickle.h, weights/torch_tensor.h), and for values without end or out of
/// proportion.
TorchValue read_torch_values(const std::filesystem::path& path, bool verify_bytes = false);

/// The same from bytes that `owner` keeps alive; `name` stands in messages.
TorchValue read_torch_values(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                             const std::string& name, bool verify_bytes = false);

/// Whether the file is one of torch.save, TorchScript left out. Throws Error for a broken archive.
bool holds_torch_values(std::span<const std::byte> bytes, const std::string& name);

}  // namespace clipnext::weights

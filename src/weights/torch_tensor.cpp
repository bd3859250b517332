#include "weights/torch_tensor.h"

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "weights/strided.h"

namespace clipnext::weights {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kUntyped = "torch.storage.UntypedStorage";
constexpr std::string_view kRebuildV3 = "torch._utils._rebuild_tensor_v3";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";
constexpr size_t kMaxRank = 64;  // PyTorch's and NumPy's own
constexpr int64_t kMinCopyBudget = int64_t{64} << 20;

// `dtype` is PyTorch's name of it; size 0: complex and the like, only known by name.
struct TorchType {
  std::string_view storage;
  std::string_view dtype;
  int64_t size;
  bool supported;
  DType type;
};

constexpr std::array kTorchTypes{
    TorchType{"torch.FloatStorage", "torch.float32", 4, true, DType::kF32},
    TorchType{"torch.HalfStorage", "torch.float16", 2, true, DType::kF16},
    TorchType{"torch.BFloat16Storage", "torch.bfloat16", 2, true, DType::kBF16},
    TorchType{"torch.DoubleStorage", "torch.float64", 8, true, DType::kF64},
    TorchType{"torch.LongStorage", "torch.int64", 8, true, DType::kI64},
    TorchType{"torch.IntStorage", "torch.int32", 4, true, DType::kI32},
    TorchType{"torch.ShortStorage", "torch.int16", 2, true, DType::kI16},
    TorchType{"torch.CharStorage", "torch.int8", 1, true, DType::kI8},
    TorchType{"torch.ByteStorage", "torch.uint8", 1, true, DType::kU8},
    TorchType{"torch.BoolStorage", "torch.bool", 1, true, DType::kBool},
    // Known so that a file may hold them outside its weights.
    TorchType{kUntyped, "", 1, false, DType::kU8},
    TorchType{"torch.ComplexFloatStorage", "torch.complex64", 8, false, DType::kU8},
    TorchType{"torch.ComplexDoubleStorage", "torch.complex128", 16, false, DType::kU8},
    TorchType{"", "torch.uint16", 2, false, DType::kU8},
    TorchType{"", "torch.uint32", 4, false, DType::kU8},
    TorchType{"", "torch.uint64", 8, false, DType::kU8},
};

constexpr std::array<std::string_view, 17> kOtherGlobals{
    "collections.OrderedDict",
    "collections.Counter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    kRebuildV3,
    kRebuildParameter,
    "torch.nn.parameter.Parameter",
    "torch.Size",
    "torch.Tensor",
    "torch.device",
    "torch.serialization._get_layout",
    // Scalars that training loops put beside the weights.
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "_codecs.encode",
    // TorchScript's typed lists.
    "torch.jit._pickle.restore_type_tag",
    "torch.jit._pickle.build_intlist",
};

bool is_call(const PickleValue& value, std::string_view name) {
  return value.is(Kind::kCall) && value.node->name == name;
}

bool is_rebuild(const PickleValue& value) {
  return value.is(Kind::kCall) && value.node->name.starts_with("torch._utils._rebuild_tensor");
}

// The tensor inside parameters around it; they are one call each, so a short walk is enough.
const PickleValue* inner_tensor(const PickleValue& value) {
  const PickleValue* inner = &value;
  for (int depth = 0; depth < 4; ++depth) {
    if (is_rebuild(*inner)) return inner;
    const bool parameter =
        is_call(*inner, kRebuildParameter) || is_call(*inner, "torch.nn.parameter.Parameter");
    if (!parameter || call_arguments(*inner).empty()) return nullptr;
    inner = &call_arguments(*inner)[0];
  }
  return nullptr;
}

Shape to_shape(const PickleValue& value, const char* name, const std::string& what) {
  // torch.Size(tuple) or the tuple itself.
  const PickleValue* tuple = &value;
  if (is_call(value, "torch.Size") && !call_arguments(value).empty()) {
    tuple = &call_arguments(value)[0];
  }
  require(tuple->is(Kind::kTuple), what, ": its ", name, " is not a tuple");
  require(tuple->node->items.size() <= kMaxRank, what, ": more than ", kMaxRank, " dimensions");
  Shape shape;
  for (const PickleValue& item : tuple->node->items) {
    require(item.is(Kind::kInt) && item.integer >= 0, what, ": its ", name,
            " holds something other than whole numbers");
    shape.push_back(item.integer);
  }
  return shape;
}

const TorchType* find_storage_type(std::string_view name) {
  const auto* found = std::find_if(kTorchTypes.begin(), kTorchTypes.end(),
                                   [&](const TorchType& t) { return t.storage == name; });
  return found == kTorchTypes.end() || name.empty() ? nullptr : found;
}

bool is_row_major(const Shape& shape, const Shape& strides) {
  int64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

}  // namespace

bool is_torch_global(std::string_view global) {
  const auto is_dtype = [&](const TorchType& t) {
    return t.storage == global || (!t.dtype.empty() && t.dtype == global);
  };
  return std::find(kOtherGlobals.begin(), kOtherGlobals.end(), global) != kOtherGlobals.end() ||
         std::any_of(kTorchTypes.begin(), kTorchTypes.end(), is_dtype) ||
         global.starts_with("__torch__.") ||  // TorchScript's own classes, read as plain state
         global == "torch.jit._pickle.build_tensorlist" ||
         global == "torch.jit._pickle.build_doublelist" ||
         global == "torch.jit._pickle.build_boollist";
}

TorchStorage parse_storage(const PickleNode& persistent, const std::string& what) {
  const PickleValue& id = persistent.items[0];
  require(id.is(Kind::kTuple) && id.node->items.size() >= 5, what,
          ": a persistent id is not a storage");
  const auto& items = id.node->items;
  require(items[0].is(Kind::kText) && items[0].text == "storage" && items[1].is(Kind::kGlobal) &&
              items[2].is(Kind::kText) && items[4].is(Kind::kInt) && items[4].integer >= 0,
          what, ": a persistent id is not a storage");
  TorchStorage storage;
  storage.type = items[1].node->name;
  storage.key = items[2].text;
  storage.numel = items[4].integer;
  if (items.size() > 5 && items[5].is(Kind::kTuple)) {
    const auto& view = items[5].node->items;
    require(view.size() == 3 && view[1].is(Kind::kInt) && view[1].integer >= 0 &&
                view[2].is(Kind::kInt) && view[2].integer >= 0,
            what, ": storage ", storage.key, " is a malformed view");
    storage.is_view = true;
    storage.view_offset = view[1].integer;
    storage.numel = view[2].integer;
  }
  return storage;
}

DType storage_dtype(std::string_view storage_type, const std::string& what) {
  const TorchType* type = find_storage_type(storage_type);
  require(type != nullptr && type->supported, what, ": element type of ", storage_type,
          " is not supported");
  return type->type;
}

std::string_view storage_name(DType dtype) {
  return std::find_if(kTorchTypes.begin(), kTorchTypes.end(),
                      [&](const TorchType& t) { return t.supported && t.type == dtype; })
      ->storage;
}

int64_t storage_item_size(std::string_view storage_type, const std::string& what) {
  const TorchType* type = find_storage_type(storage_type);
  require(type != nullptr, what, ": ", storage_type, " is not a known storage type");
  return type->size;
}

TorchTensors::TorchTensors(const Source& source, FindStorage find_storage)
    : source_(source),
      find_storage_(std::move(find_storage)),
      copy_budget_(std::max(kMinCopyBudget, 4 * static_cast<int64_t>(source.bytes.size()))) {}

bool TorchTensors::is_tensor(const PickleValue& value) { return inner_tensor(value) != nullptr; }

Tensor TorchTensors::read(const PickleValue& value, const std::string& what) {
  const PickleValue& tensor = *inner_tensor(value);
  const auto& arguments = call_arguments(tensor);
  const bool v3 = tensor.node->name == kRebuildV3;
  require(arguments.size() >= (v3 ? 7U : 4U) && arguments[0].is(Kind::kPersistent), what,
          ": malformed tensor");
  const TorchStorage storage = parse_storage(*arguments[0].node, what);
  require(arguments[1].is(Kind::kInt) && arguments[1].integer >= 0, what, ": malformed offset");
  Shape shape = to_shape(arguments[2], "shape", what);
  Shape strides = to_shape(arguments[3], "strides", what);
  require(shape.size() == strides.size(), what, ": shape ", format_shape(shape), " and strides ",
          format_shape(strides), " differ in length");

  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) strides[i] = 0;  // never stepped along, and so never checked
  }

  DType dtype = DType::kF32;
  if (v3 && arguments[6].is(Kind::kGlobal)) {
    const std::string& name = arguments[6].node->name;
    const auto* type = std::find_if(kTorchTypes.begin(), kTorchTypes.end(),
                                    [&](const TorchType& t) { return t.dtype == name; });
    require(type != kTorchTypes.end() && type->supported, what, ": element type ", name,
            " is not supported");
    dtype = type->type;
  } else {
    dtype = storage_dtype(storage.type, what);
  }

  const auto bytes = find_storage_(storage);
  const int64_t item = dtype_size(dtype);
  // The first element, and one past the last that the strides reach.
  const int64_t begin = arguments[1].integer;
  const int64_t numel = checked_numel(shape, what.c_str());
  int64_t end = begin;
  for (size_t i = 0; i < shape.size() && numel > 0; ++i) {
    end = checked_add(end, checked_mul(shape[i] - 1, strides[i], what.c_str()), what.c_str());
  }
  if (numel > 0) end = checked_add(end, 1, what.c_str());
  const int64_t available = static_cast<int64_t>(bytes.size()) / item;
  require(end <= available, what, ": reaches element ", end, " of storage ", storage.key,
          ", which has ", available);

  const auto elements =
      bytes.subspan(static_cast<size_t>(begin * item), static_cast<size_t>((end - begin) * item));
  if (numel == 0 || is_row_major(shape, strides)) {
    return {dtype, std::move(shape), numel == 0 ? elements.first(0) : elements, source_.owner};
  }
  return gather(elements, dtype, std::move(shape), strides, what);
}

Tensor TorchTensors::gather(std::span<const std::byte> elements, DType dtype, Shape shape,
                            const Shape& strides, const std::string& what) {
  const int64_t item = dtype_size(dtype);
  const int64_t bytes = checked_mul(checked_numel(shape, what.c_str()), item, what.c_str());
  require(bytes <= copy_budget_, what, ": ", dtype_name(dtype), " ", format_shape(shape),
          " with strides ", format_shape(strides), " is far larger than the file");
  copy_budget_ -= bytes;
  NewTensor made = allocate_tensor(dtype, std::move(shape));
  copy_strided(elements, made.tensor.shape, strides, item, made.bytes);
  return std::move(made.tensor);
}

}  // namespace clipnext::weights

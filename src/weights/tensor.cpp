#include "weights/tensor.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <new>

#include "base/checked.h"

namespace clipnext::weights {
namespace {

// `aliases` are the other spellings, after lower-casing.
struct DTypeInfo {
  DType dtype;
  int64_t size;
  std::string_view name;
  std::array<std::string_view, 4> aliases;
};

constexpr std::array<DTypeInfo, 10> kDTypes{{
    {DType::kBool, 1, "BOOL", {"bool"}},
    {DType::kU8, 1, "U8", {"u8", "uint8"}},
    {DType::kI8, 1, "I8", {"i8", "int8"}},
    {DType::kI16, 2, "I16", {"i16", "int16"}},
    {DType::kI32, 4, "I32", {"i32", "int32"}},
    {DType::kI64, 8, "I64", {"i64", "int64"}},
    {DType::kF16, 2, "F16", {"f16", "fp16", "float16", "half"}},
    {DType::kBF16, 2, "BF16", {"bf16", "bfloat16"}},
    {DType::kF32, 4, "F32", {"f32", "fp32", "float32", "float"}},
    {DType::kF64, 8, "F64", {"f64", "fp64", "float64", "double"}},
}};

const DTypeInfo& info(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }

}  // namespace

bool is_float(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kF32 ||
         dtype == DType::kF64;
}

int64_t dtype_size(DType dtype) { return info(dtype).size; }

std::string_view dtype_name(DType dtype) { return info(dtype).name; }

DType parse_dtype(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string known;
  for (const DTypeInfo& type : kDTypes) {
    if (!lower.empty() &&
        std::find(type.aliases.begin(), type.aliases.end(), lower) != type.aliases.end()) {
      return type.dtype;
    }
    known += known.empty() ? "" : ", ";
    known += type.name;
  }
  fail("unknown data type '", name, "'; known: ", known);
}

std::string format_shape(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

int64_t Tensor::numel() const { return checked_numel(shape, "tensor shape"); }

NewTensor allocate_tensor(DType dtype, Shape shape) {
  const int64_t bytes =
      checked_mul(checked_numel(shape, "tensor shape"), dtype_size(dtype), "tensor size");
  const auto size = static_cast<size_t>(bytes);
  std::shared_ptr<std::byte[]> storage;
  try {
    storage = std::make_shared_for_overwrite<std::byte[]>(size);
  } catch (const std::bad_alloc&) {  // sizes come from files
    fail("not enough memory for a tensor of ", size, " bytes");
  }
  const std::span<std::byte> data(storage.get(), size);
  return {Tensor{dtype, std::move(shape), data, std::move(storage)}, data};
}

Tensor make_tensor(Shape shape, std::span<const float> values) {
  NewTensor made = allocate_tensor(DType::kF32, std::move(shape));
  require(made.bytes.size() == values.size_bytes(), "tensor ", format_shape(made.tensor.shape),
          " does not hold ", values.size(), " values");
  if (!values.empty()) std::memcpy(made.bytes.data(), values.data(), values.size_bytes());
  return std::move(made.tensor);
}

std::vector<float> to_f32(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.numel()));
  copy_as_f32(tensor, values.data());
  return values;
}

}  // namespace clipnext::weights

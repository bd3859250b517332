// Named tensors in memory or in a mapped file: what every checkpoint reader gives and writer takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace clipnext::weights {

/// Element types that CLIP checkpoints hold.
enum class DType : uint8_t { kBool, kU8, kI8, kI16, kI32, kI64, kF16, kBF16, kF32, kF64 };

/// f16, bf16, f32 or f64.
bool is_float(DType dtype);
/// Bytes per element.
int64_t dtype_size(DType dtype);
/// safetensors' spelling: "F32", "BF16", ...
std::string_view dtype_name(DType dtype);
/// From "fp32", "f32", "float32", "F32", ...; throws Error that lists the known ones.
DType parse_dtype(std::string_view name);

using Shape = std::vector<int64_t>;
/// "[768, 3, 4, 4]"; "[]" for a scalar.
std::string format_shape(std::span<const int64_t> shape);

/// A dense row-major little-endian array. `data` lies in a mapped file where the layout allows, and
/// `owner` keeps whatever holds it alive; copies share the bytes.
struct Tensor {
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> data;
  std::shared_ptr<const void> owner;

  int64_t numel() const;
};

/// A tensor over fresh bytes that are not yet set, and where to write them.
struct NewTensor {
  Tensor tensor;
  std::span<std::byte> bytes;
};
NewTensor allocate_tensor(DType dtype, Shape shape);

/// A tensor that owns a copy of `values`.
Tensor make_tensor(Shape shape, std::span<const float> values);

/// All elements as float32, converting each exactly where float32 can hold it and rounding to
/// nearest even where not. out [numel].
void copy_as_f32(const Tensor& tensor, float* out);
std::vector<float> to_f32(const Tensor& tensor);

/// The same values in another type (shares the bytes if it is the same type). Floats round to
/// nearest even, once, and overflow to infinity; to an integer they lose their fraction, as in
/// PyTorch; to bool all but zero is true. Throws Error for a value outside an integer type's range.
Tensor convert(const Tensor& tensor, DType dtype);

using TensorMap = std::map<std::string, Tensor, std::less<>>;

}  // namespace clipnext::weights

// Values from one element type to another, by one loop per pair of types.
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "weights/half.h"
#include "weights/tensor.h"

namespace clipnext::weights {
namespace {

struct Bool {
  uint8_t bits;
};

// Tensors in files need not be aligned.
template <class T>
T load(const std::byte* data, int64_t i) {
  T value;
  std::memcpy(&value, data + i * int64_t{sizeof(T)}, sizeof(T));
  return value;
}

// What an element is worth, in a type with arithmetic that holds it exactly.
inline int64_t value_of(Bool x) { return x.bits != 0 ? 1 : 0; }
inline float value_of(Half x) { return to_float(x); }
inline float value_of(BFloat16 x) { return to_float(x); }
inline float value_of(float x) { return x; }
inline double value_of(double x) { return x; }
template <class T>
requires std::is_integral_v<T> int64_t value_of(T x) { return x; }

// A double that rounds to any narrower float as `x` itself would: bits beyond 53 leave a sticky
// bit.
double round_to_odd(int64_t x) {
  const uint64_t magnitude = x < 0 ? 0 - static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  constexpr uint64_t kLow = (uint64_t{1} << 11) - 1;
  if (magnitude <= uint64_t{1} << 53) return static_cast<double>(x);
  const uint64_t sticky = (magnitude & kLow) != 0 ? kLow + 1 : 0;
  const auto kept = static_cast<double>((magnitude & ~kLow) | sticky);
  return x < 0 ? -kept : kept;
}

template <class T>
T integer_from(int64_t x) {
  require(x >= std::numeric_limits<T>::min() && x <= std::numeric_limits<T>::max(), "value ", x,
          " does not fit in ", sizeof(T) * 8, " bits");
  return static_cast<T>(x);
}
template <class T>
T integer_from(double x) {
  const double whole = std::trunc(x);
  // The upper bound is a power of two, which a double holds where it may not hold the maximum.
  require(whole >= static_cast<double>(std::numeric_limits<T>::min()) &&
              whole < std::ldexp(1.0, std::numeric_limits<T>::digits),
          "value ", x, " does not fit in an integer of ", sizeof(T) * 8, " bits");
  return static_cast<T>(whole);
}

template <class To, class Value>
To from_value(Value x) {
  if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<uint8_t>(x != 0)};
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(x);
  } else if constexpr (std::is_integral_v<To>) {
    return integer_from<To>(x);
  } else if constexpr (std::is_same_v<Value, int64_t>) {
    return from_value<To>(round_to_odd(x));
  } else if constexpr (std::is_same_v<To, Half>) {
    return to_half(x);
  } else {
    return to_bfloat16(x);
  }
}

template <class From, class To>
void convert_all(const std::byte* from, int64_t count, std::byte* to) {
  for (int64_t i = 0; i < count; ++i) {
    const To value = from_value<To>(value_of(load<From>(from, i)));
    std::memcpy(to + i * int64_t{sizeof(To)}, &value, sizeof(To));
  }
}

// Calls f with a value of the type that stands for `dtype`.
template <class F>
void with_type(DType dtype, const F& f) {
  switch (dtype) {
    case DType::kBool:
      return f(Bool{});
    case DType::kU8:
      return f(uint8_t{});
    case DType::kI8:
      return f(int8_t{});
    case DType::kI16:
      return f(int16_t{});
    case DType::kI32:
      return f(int32_t{});
    case DType::kI64:
      return f(int64_t{});
    case DType::kF16:
      return f(Half{});
    case DType::kBF16:
      return f(BFloat16{});
    case DType::kF32:
      return f(float{});
    case DType::kF64:
      return f(double{});
  }
}

}  // namespace

void copy_as_f32(const Tensor& tensor, float* out) {
  if (tensor.data.empty()) return;
  if (tensor.dtype == DType::kF32) {
    std::memcpy(out, tensor.data.data(), tensor.data.size());
    return;
  }
  with_type(tensor.dtype, [&](auto from) {
    convert_all<decltype(from), float>(tensor.data.data(), tensor.numel(),
                                       reinterpret_cast<std::byte*>(out));
  });
}

Tensor convert(const Tensor& tensor, DType dtype) {
  if (dtype == tensor.dtype) return tensor;
  NewTensor made = allocate_tensor(dtype, tensor.shape);
  with_type(tensor.dtype, [&](auto from) {
    with_type(dtype, [&](auto to) {
      convert_all<decltype(from), decltype(to)>(tensor.data.data(), tensor.numel(),
                                                made.bytes.data());
    });
  });
  return std::move(made.tensor);
}

}  // namespace clipnext::weights

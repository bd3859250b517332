// The definition of the bf16 and int8 operations, value by value.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace clipnext::kernels::ref {

inline float from_bf16(Bf16 x) { return std::bit_cast<float>(uint32_t{x} << 16); }

/// To nearest, ties to even; NaN stays NaN.
inline Bf16 to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<Bf16>(bits >> 16 | 0x40);
  return static_cast<Bf16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Where w[j][p] lies among packed weights of type T.
template <class T>
int64_t packed_at(int64_t j, int64_t p, int64_t k) {
  constexpr int64_t g = 4 / sizeof(T);
  return j / 16 * 16 * packed_depth<T>(k) + p / g * 16 * g + j % 16 * g + p % g;
}

/// See QuantizeFn; one row.
inline RowScale quantize_row(const float* x, int64_t cols, int32_t levels, uint8_t* y) {
  constexpr float kSmallest = 1e-30F;  // a smaller range counts as zeros
  float low = 0;
  float high = 0;
  bool finite = true;
  for (int64_t i = 0; i < cols; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    finite = finite && std::isfinite(x[i]);
  }
  const float range = high - low;
  if (!finite || !std::isfinite(range)) {
    std::fill_n(y, cols, uint8_t{0});
    return {.scale = std::numeric_limits<float>::quiet_NaN(), .zero = 0};
  }
  const auto top = static_cast<float>(levels);
  const float inverse = range > kSmallest ? top / range : 0;
  const float zero = std::nearbyint(-low * inverse);
  for (int64_t i = 0; i < cols; ++i) {
    const float q = std::nearbyint(x[i] * inverse) + zero;
    y[i] = static_cast<uint8_t>(std::clamp(q, 0.0F, top));
  }
  return {.scale = range > kSmallest ? range / top : 0, .zero = static_cast<int32_t>(zero)};
}

PackBf16Fn pack_bf16;
ToBf16Fn rows_to_bf16;
GemmBf16Fn gemm_bf16;
GemmBf16ToBf16Fn gemm_bf16_to_bf16;
PackS8Fn pack_s8;
QuantizeFn quantize;
QuantizeBf16Fn quantize_bf16;
GemmU8S8Fn gemm_u8s8;
GemmU8S8ToBf16Fn gemm_u8s8_to_bf16;
LayerNormBf16Fn layer_norm_bf16;
LayerNormU8Fn layer_norm_u8;

}  // namespace clipnext::kernels::ref

// 8-bit quantisation of a row whose values come, vector by vector, from a function: it is asked for
// each twice, so that nothing need be stored between the row's range and its rounding.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd_narrow.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

/// See QuantizeFn; values(i) gives elements i .. i + kLanes - 1, zeros past cols.
template <class Values>
[[gnu::always_inline]] static inline RowScale quantize_row(const Values& values, int64_t cols,
                                                           int32_t levels, uint8_t* y) {
  constexpr float kSmallest = 1e-30F;  // a smaller range counts as zeros
  f32v low[2] = {zero(), zero()};
  f32v high[2] = {zero(), zero()};
  f32v poison[2] = {zero(), zero()};  // NaN where a value is not finite
  int64_t i = 0;
  for (; i + kLanes < cols; i += 2 * kLanes) {
    for (int64_t j = 0; j < 2; ++j) {
      const f32v x = values(i + j * kLanes);
      low[j] = min(low[j], x);
      high[j] = max(high[j], x);
      poison[j] = fma(x, zero(), poison[j]);
    }
  }
  if (i < cols) {
    const f32v x = values(i);
    low[0] = min(low[0], x);
    high[0] = max(high[0], x);
    poison[0] = fma(x, zero(), poison[0]);
  }
  const float bottom = -max_lane(sub(zero(), min(low[0], low[1])));
  const float range = max_lane(max(high[0], high[1])) - bottom;
  const float spoilt = sum(add(poison[0], poison[1])) + range * 0;
  if (spoilt != spoilt) {
    for (i = 0; i < cols; i += kLanes) store_first(y + i, set_int(0), cols - i);
    return {.scale = spoilt, .zero = 0};
  }
  const auto top = static_cast<float>(levels);
  const float inverse = range > kSmallest ? top / range : 0;
  const i32v zero_point = round_to_int(set(-bottom * inverse));
  for (i = 0; i < cols; i += kLanes) {
    const i32v q = add_int(round_to_int(mul(values(i), set(inverse))), zero_point);
    store_first(y + i, clamp_int(q, set_int(0), set_int(levels)), cols - i);
  }
  return {.scale = range > kSmallest ? range / top : 0, .zero = first_lane(zero_point)};
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

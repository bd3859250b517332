// Activations and weights to bf16 and 8 bits.
#include "kernels/kernels.h"
#include "kernels/ops/row_scale.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

template <class T>
void quantize_rows(const T* x, int64_t ldx, int64_t rows, int64_t cols, int32_t levels, uint8_t* y,
                   int64_t ldy, RowScale* scales) {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    const auto values = [x, cols](int64_t i) { return load_first(x + i, cols - i); };
    scales[r] = quantize_row(values, cols, levels, y);
  }
}

/// The scale of a row of weights: the largest size, NaN if one is not finite.
float largest(const float* x, int64_t count) {
  f32v top = zero();
  f32v poison = zero();
  for (int64_t i = 0; i < count; i += kLanes) {
    const f32v v = load_first(x + i, count - i);
    top = max(top, abs(v));
    poison = fma(v, zero(), poison);
  }
  return max_lane(top) + sum(poison);
}

}  // namespace

void to_bf16(const float* x, int64_t ldx, int64_t rows, int64_t cols, Bf16* y,
             int64_t ldy) noexcept {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    for (int64_t i = 0; i < cols; i += kLanes) {
      store_first(y + i, load_first(x + i, cols - i), cols - i);
    }
  }
}

void quantize(const float* x, int64_t ldx, int64_t rows, int64_t cols, int32_t levels, uint8_t* y,
              int64_t ldy, RowScale* scales) noexcept {
  quantize_rows(x, ldx, rows, cols, levels, y, ldy, scales);
}

void quantize_bf16(const Bf16* x, int64_t ldx, int64_t rows, int64_t cols, int32_t levels,
                   uint8_t* y, int64_t ldy, RowScale* scales) noexcept {
  quantize_rows(x, ldx, rows, cols, levels, y, ldy, scales);
}

void pack_bf16(const float* w, int64_t ldw, int64_t n, int64_t k, Bf16* packed) noexcept {
  const int64_t depth = packed_depth<Bf16>(k);
  for (int64_t j = 0; j < packed_columns(n); ++j) {
    Bf16* column = packed + j / 16 * 16 * depth + j % 16 * 2;
    for (int64_t p0 = 0; p0 < depth; p0 += kLanes) {
      Bf16 values[kLanes] = {};
      if (j < n && p0 < k) store_first(values, load_first(w + j * ldw + p0, k - p0), kLanes);
      for (int64_t p = 0; p < kLanes; ++p) column[(p0 + p) / 2 * 32 + p % 2] = values[p];
    }
  }
}

void pack_s8(const float* w, int64_t ldw, int64_t n, int64_t k, int8_t* packed, float* scales,
             int32_t* sums) noexcept {
  const int64_t depth = packed_depth<int8_t>(k);
  for (int64_t j = 0; j < packed_columns(n); ++j) {
    int8_t* column = packed + j / 16 * 16 * depth + j % 16 * 4;
    const float top = j < n ? largest(w + j * ldw, k) : 0;
    const bool usable = top > 1e-30F && top - top == 0;
    const f32v inverse = set(usable ? 127 / top : 0);
    scales[j] = usable ? top / 127 : top - top;  // NaN for a column that is not finite
    sums[j] = 0;
    for (int64_t p0 = 0; p0 < depth; p0 += kLanes) {
      uint8_t values[kLanes] = {};  // 128 more than the weight
      if (usable && p0 < k) {
        const i32v q = round_to_int(mul(load_first(w + j * ldw + p0, k - p0), inverse));
        store_first(values, add_int(q, set_int(128)), kLanes);
      }
      for (int64_t p = 0; p < kLanes; ++p) {
        const int32_t value = usable && p0 < k ? values[p] - 128 : 0;
        column[(p0 + p) / 4 * 64 + p % 4] = static_cast<int8_t>(value);
        sums[j] += value;
      }
    }
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

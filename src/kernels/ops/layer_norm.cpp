// LayerNorm of one row at a time: the mean, then sums of x - mean and of its square. The first of
// these corrects the rounding of the mean, so a large common offset costs no accuracy.
#include "kernels/kernels.h"
#include "kernels/ops/row_scale.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

/// The sum of a row; four sums side by side, added in a fixed order.
float row_sum(const float* x, int64_t cols) {
  f32v part[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= cols; i += 4 * kLanes) {
    for (int64_t j = 0; j < 4; ++j) part[j] = add(part[j], load(x + i + j * kLanes));
  }
  for (; i < cols; i += kLanes) part[0] = add(part[0], load_first(x + i, cols - i));
  return sum(add(add(part[0], part[1]), add(part[2], part[3])));
}

struct Moments {
  float first, second;
};

void add_moments(f32v x, f32v& first, f32v& second) {
  first = add(first, x);
  second = fma(x, x, second);
}

/// Sums of x - centre and of its square.
Moments centred_sums(const float* x, int64_t cols, float centre) {
  const f32v c = set(centre);
  f32v m1[2] = {zero(), zero()};
  f32v m2[2] = {zero(), zero()};
  int64_t i = 0;
  for (; i + 2 * kLanes <= cols; i += 2 * kLanes) {
    for (int64_t j = 0; j < 2; ++j) add_moments(sub(load(x + i + j * kLanes), c), m1[j], m2[j]);
  }
  for (; i + kLanes <= cols; i += kLanes) add_moments(sub(load(x + i), c), m1[0], m2[0]);
  if (i < cols) {
    const maskv tail = first_lanes(cols - i);
    add_moments(keep(tail, sub(load(tail, x + i), c)), m1[1], m2[1]);
  }
  return {sum(add(m1[0], m1[1])), sum(add(m2[0], m2[1]))};
}

/// A row ready to be scaled.
struct Row {
  Row(const float* x_, const float* gain_, const float* bias_, int64_t cols_, float eps)
      : x(x_), gain(gain_), bias(bias_), cols(cols_) {
    const double count = static_cast<double>(cols);
    const float mean = static_cast<float>(row_sum(x, cols) / count);
    const Moments sums = centred_sums(x, cols, mean);
    const double offset = sums.first / count;
    const double variance = sums.second / count - offset * offset;
    const double inverse = 1 / square_root((variance > 0 ? variance : 0) + eps);
    centre = set(mean);
    scale = set(static_cast<float>(inverse));
    shift = set(static_cast<float>(-offset * inverse));
  }
  f32v operator()(int64_t i) const {
    const int64_t left = cols - i;
    const f32v unit = fma(sub(load_first(x + i, left), centre), scale, shift);
    return fma(unit, load_first(gain + i, left), load_first(bias + i, left));
  }
  const float* x;
  const float* gain;
  const float* bias;
  int64_t cols;
  f32v centre, scale, shift;
};

template <class T>
void store_rows(const float* x, int64_t ldx, const float* gain, const float* bias, int64_t rows,
                int64_t cols, float eps, T* y, int64_t ldy) {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    const Row row(x, gain, bias, cols, eps);
    for (int64_t i = 0; i < cols; i += kLanes) store_first(y + i, row(i), cols - i);
  }
}

}  // namespace

void layer_norm(const float* x, int64_t ldx, const float* gain, const float* bias, int64_t rows,
                int64_t cols, float eps, float* y, int64_t ldy) noexcept {
  store_rows(x, ldx, gain, bias, rows, cols, eps, y, ldy);
}

void layer_norm_bf16(const float* x, int64_t ldx, const float* gain, const float* bias,
                     int64_t rows, int64_t cols, float eps, Bf16* y, int64_t ldy) noexcept {
  store_rows(x, ldx, gain, bias, rows, cols, eps, y, ldy);
}

void layer_norm_u8(const float* x, int64_t ldx, const float* gain, const float* bias, int64_t rows,
                   int64_t cols, float eps, int32_t levels, uint8_t* y, int64_t ldy,
                   RowScale* scales) noexcept {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    scales[r] = quantize_row(Row(x, gain, bias, cols, eps), cols, levels, y);
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

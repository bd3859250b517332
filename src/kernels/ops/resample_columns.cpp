// One vertical pass of Pillow's 8-bit resampling, a vector of neighbouring bytes at a time: the
// bytes of two source rows are interleaved and widened to words, so that a pair of taps is one
// product.
#include "kernels/kernels.h"
#include "kernels/simd_pairs.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

/// The first count of kBytes bytes of one output row; src is the first tap's.
void resample(const uint8_t* src, int64_t src_stride, const int32_t* weights, int64_t taps,
              int64_t count, uint8_t* dst) {
  const i32v none = set_int(0);
  PairSums sums[4];
  for (PairSums& s : sums) s = {none, none};
  for (int64_t t = 0; t < taps; t += 2, src += 2 * src_stride) {
    const bool pair = t + 1 < taps;
    const i32v first = bits(load_bytes(src, count));
    const i32v second = pair ? bits(load_bytes(src + src_stride, count)) : none;
    const PairWeights w = set_weights(weights[t], pair ? weights[t + 1] : 0);
    const i32v low = interleave_low(first, second);
    const i32v high = interleave_high(first, second);
    accumulate(sums[0], interleave_low(low, none), w);
    accumulate(sums[1], interleave_high(low, none), w);
    accumulate(sums[2], interleave_low(high, none), w);
    accumulate(sums[3], interleave_high(high, none), w);
  }
  const auto value = [](const PairSums& s) { return rounded(total(s)); };
  store_bytes(dst,
              pack_bytes(pack_words(value(sums[0]), value(sums[1])),
                         pack_words(value(sums[2]), value(sums[3]))),
              count);
}

}  // namespace

void resample_columns(const uint8_t* src, int64_t src_stride, int64_t row_bytes,
                      const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) noexcept {
  for (int64_t i = 0; i < plan.size; ++i) {
    const uint8_t* rows = src + plan.begin[i] * src_stride;
    for (int64_t x = 0; x < row_bytes; x += kBytes) {
      resample(rows + x, src_stride, plan.weights + i * plan.taps, plan.count[i], row_bytes - x,
               dst + i * dst_stride + x);
    }
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

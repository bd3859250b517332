// One horizontal pass of Pillow's 8-bit resampling: 128 bits hold the pixels of two taps, a channel
// in each dword, a vector as many pairs of taps as it has such parts. Four rows go together, since
// they share the weights.
#include "kernels/kernels.h"
#include "kernels/simd_pairs.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

constexpr int64_t kTaps = 2 * kPairs;  // of a vector
constexpr int kRows = 4;

struct Rows {
  const uint8_t* src[kRows];
  uint8_t* dst[kRows];
  int64_t row_bytes;  // of a source row
};

/// As load_pixels where only `readable` bytes may be read; the others are 0.
template <int kChannels>
i32v load_last_pixels(const uint8_t* p, int64_t readable) {
  constexpr int64_t kReach = pixel_reach(kChannels);
  alignas(16) uint8_t padded[kReach] = {};
  __builtin_memcpy(padded, p, static_cast<size_t>(smaller(readable, kReach)));
  return load_pixels<kChannels>(padded);
}

/// Outputs [begin, end); kInside: whole vectors of pixels lie in the row.
template <int kChannels, bool kInside>
void resample(const Rows& rows, const ResamplePlan& plan, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const int32_t* weights = plan.weights + i * plan.taps;
    PairSums sums[kRows];
#pragma GCC unroll 4
    for (PairSums& s : sums) s = {set_int(0), set_int(0)};
    for (int64_t t = 0; t < plan.count[i]; t += kTaps) {
      const PairWeights w = spread_weights(weights + t, plan.count[i] - t);
      const int64_t at = (plan.begin[i] + t) * kChannels;
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        accumulate(sums[r],
                   kInside ? load_pixels<kChannels>(rows.src[r] + at)
                           : load_last_pixels<kChannels>(rows.src[r] + at, rows.row_bytes - at),
                   w);
      }
    }
    const __m128i pixels =
        fold_pixels(total(sums[0]), total(sums[1]), total(sums[2]), total(sums[3]));
    alignas(16) uint8_t bytes[4 * kRows];
    _mm_store_si128(reinterpret_cast<__m128i*>(bytes), pixels);
#pragma GCC unroll 4
    for (int64_t r = 0; r < kRows; ++r) {
      __builtin_memcpy(rows.dst[r] + i * kChannels, bytes + 4 * r, kChannels);
    }
  }
}

/// Up to where, from the first output on, whole vectors of pixels lie in the row.
template <int kChannels>
int64_t inside_end(const ResamplePlan& plan, int64_t row_bytes) {
  for (int64_t i = 0; i < plan.size; ++i) {
    const int64_t last = plan.begin[i] + (plan.count[i] - 1) / kTaps * kTaps;
    if (last * kChannels + pixel_reach(kChannels) > row_bytes) return i;
  }
  return plan.size;
}

template <int kChannels>
void resample_all(const uint8_t* src, int64_t src_stride, int64_t rows, int64_t row_bytes,
                  const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) {
  const int64_t inside = inside_end<kChannels>(plan, row_bytes);
  for (int64_t y = 0; y < rows; y += kRows) {
    Rows part{};
    part.row_bytes = row_bytes;
    for (int64_t r = 0; r < kRows; ++r) {
      const int64_t row = smaller(y + r, rows - 1);  // the last one may be computed repeatedly
      part.src[r] = src + row * src_stride;
      part.dst[r] = dst + row * dst_stride;
    }
    resample<kChannels, true>(part, plan, 0, inside);
    resample<kChannels, false>(part, plan, inside, plan.size);
  }
}

}  // namespace

void resample_rows(const uint8_t* src, int64_t src_stride, int64_t rows, int64_t channels,
                   const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) noexcept {
  int64_t pixels = 0;  // of a source row, as far as the plan says
  for (int64_t i = 0; i < plan.size; ++i) {
    const int64_t end = int64_t{plan.begin[i]} + plan.count[i];
    if (end > pixels) pixels = end;
  }
  const auto all = channels == 1   ? resample_all<1>
                   : channels == 2 ? resample_all<2>
                   : channels == 3 ? resample_all<3>
                                   : resample_all<4>;
  all(src, src_stride, rows, pixels * channels, plan, dst, dst_stride);
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

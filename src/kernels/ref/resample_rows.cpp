// One horizontal pass of Pillow's 8-bit resampling, pixel by pixel.
#include <algorithm>

#include "kernels/ref/ref.h"

namespace clipnext::kernels::ref {

namespace {

/// With the number of channels known, the sums of one pixel stay in registers.
template <int kChannels>
void resample_row(const uint8_t* src, const ResamplePlan& plan, uint8_t* dst) {
  for (int64_t i = 0; i < plan.size; ++i, dst += kChannels) {
    const uint8_t* in = src + int64_t{plan.begin[i]} * kChannels;
    const int32_t* weights = plan.weights + i * plan.taps;
    int32_t sum[kChannels];
    for (int32_t& s : sum) s = 1 << 21;
    for (int64_t t = 0; t < plan.count[i]; ++t, in += kChannels) {
      for (int64_t c = 0; c < kChannels; ++c) sum[c] += in[c] * weights[t];
    }
    for (int64_t c = 0; c < kChannels; ++c) {
      dst[c] = static_cast<uint8_t>(std::clamp(sum[c] >> 22, 0, 255));
    }
  }
}

}  // namespace

void resample_rows(const uint8_t* src, int64_t src_stride, int64_t rows, int64_t channels,
                   const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) noexcept {
  for (int64_t row = 0; row < rows; ++row, src += src_stride, dst += dst_stride) {
    switch (channels) {
      case 1:
        resample_row<1>(src, plan, dst);
        break;
      case 2:
        resample_row<2>(src, plan, dst);
        break;
      case 3:
        resample_row<3>(src, plan, dst);
        break;
      default:
        resample_row<4>(src, plan, dst);
        break;
    }
  }
}

}  // namespace clipnext::kernels::ref

// One vertical pass of Pillow's 8-bit resampling. A block of neighbouring bytes is summed at a
// time, so that the source is read along its rows and the compiler can vectorise.
#include <algorithm>

#include "kernels/ref/ref.h"

namespace clipnext::kernels::ref {

void resample_columns(const uint8_t* src, int64_t src_stride, int64_t row_bytes,
                      const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) noexcept {
  constexpr int64_t kBlock = 64;
  for (int64_t i = 0; i < plan.size; ++i, dst += dst_stride) {
    const uint8_t* rows = src + plan.begin[i] * src_stride;
    const int32_t* weights = plan.weights + i * plan.taps;
    for (int64_t x0 = 0; x0 < row_bytes; x0 += kBlock) {
      const int64_t size = std::min(kBlock, row_bytes - x0);
      int32_t sum[kBlock];
      for (int32_t& s : sum) s = 1 << 21;
      for (int64_t t = 0; t < plan.count[i]; ++t) {
        const uint8_t* in = rows + t * src_stride + x0;
        for (int64_t x = 0; x < size; ++x) sum[x] += in[x] * weights[t];
      }
      for (int64_t x = 0; x < size; ++x) {
        dst[x0 + x] = static_cast<uint8_t>(std::clamp(sum[x] >> 22, 0, 255));
      }
    }
  }
}

}  // namespace clipnext::kernels::ref

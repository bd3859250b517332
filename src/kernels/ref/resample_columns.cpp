// One vertical pass of Pillow's 8-bit resampling, byte by byte.
#include <algorithm>

#include "kernels/ref/ref.h"

namespace clipnext::kernels::ref {

void resample_columns(const uint8_t* src, int64_t src_stride, int64_t row_bytes,
                      const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) noexcept {
  for (int64_t i = 0; i < plan.size; ++i, dst += dst_stride) {
    const uint8_t* in = src + plan.begin[i] * src_stride;
    const int32_t* weights = plan.weights + i * plan.taps;
    for (int64_t x = 0; x < row_bytes; ++x) {
      int32_t sum = 1 << 21;
      for (int64_t t = 0; t < plan.count[i]; ++t) sum += in[t * src_stride + x] * weights[t];
      dst[x] = static_cast<uint8_t>(std::clamp(sum >> 22, 0, 255));
    }
  }
}

}  // namespace clipnext::kernels::ref

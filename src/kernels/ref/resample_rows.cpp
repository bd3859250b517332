// One horizontal pass of Pillow's 8-bit resampling, pixel by pixel.
#include <algorithm>

#include "kernels/ref/ref.h"

namespace clipnext::kernels::ref {

void resample_rows(const uint8_t* src, int64_t src_stride, int64_t rows, int64_t channels,
                   const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) noexcept {
  for (int64_t row = 0; row < rows; ++row, src += src_stride, dst += dst_stride) {
    for (int64_t i = 0; i < plan.size; ++i) {
      const uint8_t* in = src + plan.begin[i] * channels;
      const int32_t* weights = plan.weights + i * plan.taps;
      for (int64_t ch = 0; ch < channels; ++ch) {
        int32_t sum = 1 << 21;
        for (int64_t t = 0; t < plan.count[i]; ++t) sum += in[t * channels + ch] * weights[t];
        dst[i * channels + ch] = static_cast<uint8_t>(std::clamp(sum >> 22, 0, 255));
      }
    }
  }
}

}  // namespace clipnext::kernels::ref

// Mean over rows, a vector of columns at a time. Sums of 16 rows are added up, so that rounding
// error does not grow with the number of rows.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

void mean_rows(const float* x, int64_t rows, int64_t c, float* out) noexcept {
  constexpr int64_t kBlock = 16;
  const f32v count = set(static_cast<float>(rows));
  for (int64_t i = 0; i < c; i += kLanes) {
    f32v total = zero();
    for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
      const int64_t end = smaller(rows, r0 + kBlock);
      f32v block = zero();
      for (int64_t r = r0; r < end; ++r) block = add(block, load_first(x + r * c + i, c - i));
      total = add(total, block);
    }
    store_first(out + i, div(total, count), c - i);
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

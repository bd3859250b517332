// The f32 micro-kernel, which products and attention share.
#include "kernels/ops/tile_loop.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

struct F32Dot {
  static f32v dot(f32v x, f32v b, f32v sum) { return fma(x, b, sum); }
  static f32v add(f32v a, f32v b) { return kernels::CLIPNEXT_ISA_NAMESPACE::add(a, b); }
};

}  // namespace

void tile_f32(int64_t rows, int64_t depth, const float* a, const Panel& b, const float* from,
              float* sums, const float* next) noexcept {
  run_tile<F32Dot>(rows, depth, a, b, from, sums, next);
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

// Matrix products of bf16: by vdpbf16ps where the instruction set has it; elsewhere operands are
// widened block by block on their way to the f32 micro-kernel.
#include "kernels/ops/gemm_driver.h"
#include "kernels/ops/tile_loop.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

#ifdef CLIPNEXT_AVX512_BF16

struct Bf16Type : PackedInWords<Bf16> {
  using Element = Bf16;
  using Sums = PlainSums;
  static f32v dot(f32v x, f32v b, f32v sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)b);
  }
  static f32v add(f32v a, f32v b) { return kernels::CLIPNEXT_ISA_NAMESPACE::add(a, b); }
  static constexpr auto tile = run_tile<Bf16Type>;
};

#else

struct Bf16Type : PackedInWords<Bf16> {
  using Element = Bf16;
  using Sums = PlainSums;
  static constexpr int64_t kDepth = kTileDepth;
  static constexpr int64_t kStaged = kTileDepth * kTileColumns;

  static int64_t copy(const Bf16* a, int64_t lda, int64_t rows, int64_t depth, float* block) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < depth; i += kLanes) {
        store(block + r * kTileStride + i, load_first(a + r * lda + i, depth - i));
      }
    }
    return depth;
  }
  /// Two values of k from a word: the upper half is a f32 already but for its last 16 bits.
  static void widen(const float* from, float* to) {
    const i32v pair = bits(load(from));
    store(to, from_bits(shift_left_16(pair)));
    store(to + kTileColumns, from_bits(and_int(pair, set_int(-65536))));
  }
  static Panel stage(const Panel& panel, int64_t depth, float* buffer) {
    for (int64_t p = 0; p < depth; p += 2) {
      widen(panel.left + p / 2 * 16, buffer + p * kTileColumns);
      widen(panel.right + p / 2 * 16, buffer + p * kTileColumns + kLanes);
    }
    return {buffer, buffer + kLanes, kTileColumns};
  }
  static constexpr auto tile = tile_f32;
};

#endif

}  // namespace

void gemm_bf16(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n, int64_t k,
               const Epilogue& epilogue, float* c, int64_t ldc) noexcept {
  multiply<Bf16Type, float>(a, lda, packed, m, n, k, {epilogue, c, ldc});
}

void gemm_bf16_to_bf16(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n,
                       int64_t k, const Epilogue& epilogue, Bf16* c, int64_t ldc) noexcept {
  multiply<Bf16Type, Bf16>(a, lda, packed, m, n, k, {epilogue, c, ldc});
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

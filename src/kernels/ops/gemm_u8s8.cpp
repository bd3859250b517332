// Matrix products of 8-bit operands, by VNNI where the instruction set has it. Elsewhere pairs of
// products are added in 16 bits, which 7-bit activations cannot overflow: 2 * 127 * 127 < 2^15.
#include "kernels/ops/gemm_driver.h"
#include "kernels/ops/tile_loop.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

/// Keeps GCC from adding up several steps' products before it adds them to the sums, which takes
/// more registers than there are.
[[maybe_unused]] i32v in_this_order(i32v sum) {
#ifndef CLIPNEXT_EMULATED
  __asm__("" : "+v"(sum));
#endif
  return sum;
}

/// Adds four products to each sum.
i32v dot4(i32v x, i32v b, i32v sum) {
#if defined(CLIPNEXT_AVX512_VNNI)
  return _mm512_dpbusd_epi32(sum, x, b);
#elif defined(CLIPNEXT_AVX512)
  const i32v ones = _mm512_set1_epi16(1);
  return in_this_order(add_int(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(x, b), ones)));
#elif defined(CLIPNEXT_AVX_VNNI)
  return _mm256_dpbusd_avx_epi32(sum, x, b);
#else
  const i32v ones = _mm256_set1_epi16(1);
  return in_this_order(add_int(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, b), ones)));
#endif
}

struct U8S8Type : PackedInWords<int8_t> {
  using Element = uint8_t;
  using Sums = IntegerSums;
  static f32v dot(f32v x, f32v b, f32v sum) { return from_bits(dot4(bits(x), bits(b), bits(sum))); }
  static f32v add(f32v a, f32v b) { return from_bits(add_int(bits(a), bits(b))); }
  static constexpr auto tile = run_tile<U8S8Type>;
};

}  // namespace

void gemm_u8s8(const uint8_t* a, int64_t lda, const RowScale* rows, const S8Weights& w, int64_t m,
               int64_t n, int64_t k, const Epilogue& epilogue, float* c, int64_t ldc) noexcept {
  multiply<U8S8Type, float>(a, lda, w.packed, m, n, k, {epilogue, c, ldc, rows, w.scales, w.sums});
}

void gemm_u8s8_to_bf16(const uint8_t* a, int64_t lda, const RowScale* rows, const S8Weights& w,
                       int64_t m, int64_t n, int64_t k, const Epilogue& epilogue, Bf16* c,
                       int64_t ldc) noexcept {
  multiply<U8S8Type, Bf16>(a, lda, w.packed, m, n, k, {epilogue, c, ldc, rows, w.scales, w.sums});
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

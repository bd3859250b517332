// Twelve independent chains of multiply-adds cover the latency of two units. The functions
// are compiled for their instruction set one by one; call them only where the CPU has it.
#include "fma_ceiling.h"

#include <immintrin.h>

namespace clipnext::bench {
namespace {

constexpr int kChains = 12;

__attribute__((target("avx2"))) __m256i broadcast_256(float x) {
  return _mm256_castps_si256(_mm256_set1_ps(x));
}
__attribute__((target("avx512f"))) __m512i broadcast_512(float x) {
  return _mm512_castps_si512(_mm512_set1_ps(x));
}

#define CLIPNEXT_FMA_LOOP(type, broadcast, fma)                  \
  type acc[kChains];                                             \
  const type factor = broadcast(1.0000001F);                     \
  for (int i = 0; i < kChains; ++i) acc[i] = broadcast(1.0F);    \
  for (int64_t r = 0; r < rounds; ++r) {                         \
    _Pragma("GCC unroll 12") for (int i = 0; i < kChains; ++i) { \
      acc[i] = fma(acc[i], factor, factor);                      \
    }                                                            \
  }                                                              \
  for (int i = 1; i < kChains; ++i) acc[0] += acc[i];            \
  volatile auto keep = acc[0][0];                                \
  (void)keep;

__attribute__((target("avx2,fma"))) void fma_avx2(int64_t rounds) {
  CLIPNEXT_FMA_LOOP(__m256, _mm256_set1_ps, _mm256_fmadd_ps)
}

__attribute__((target("avx512f"))) void fma_avx512(int64_t rounds) {
  CLIPNEXT_FMA_LOOP(__m512, _mm512_set1_ps, _mm512_fmadd_ps)
}

#define CLIPNEXT_DOT_BYTES_256(sum, x, y) _mm256_dpbusd_avx_epi32(sum, x, y)
__attribute__((target("avx2,avxvnni"))) void dot_avx_vnni(int64_t rounds) {
  CLIPNEXT_FMA_LOOP(__m256i, broadcast_256, CLIPNEXT_DOT_BYTES_256)
}

#define CLIPNEXT_DOT_BYTES_512(sum, x, y) _mm512_dpbusd_epi32(sum, x, y)
__attribute__((target("avx512f,avx512vnni"))) void dot_avx512_vnni(int64_t rounds) {
  CLIPNEXT_FMA_LOOP(__m512i, broadcast_512, CLIPNEXT_DOT_BYTES_512)
}

#define CLIPNEXT_DOT_BF16(sum, x, y) _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(y))
__attribute__((target("avx512f,avx512bf16"))) void dot_avx512_bf16(int64_t rounds) {
  CLIPNEXT_FMA_LOOP(__m512, _mm512_set1_ps, CLIPNEXT_DOT_BF16)
}

#undef CLIPNEXT_DOT_BYTES_256
#undef CLIPNEXT_DOT_BYTES_512
#undef CLIPNEXT_DOT_BF16
#undef CLIPNEXT_FMA_LOOP

}  // namespace

double run_fma(std::string_view isa, int64_t rounds) {
  const double chains = 2.0 * kChains * static_cast<double>(rounds);
  if (isa == "avx2") {
    fma_avx2(rounds);
    return chains * 8;
  }
  if (isa == "avx512") {
    fma_avx512(rounds);
    return chains * 16;
  }
  if (isa == "avx_vnni") {
    dot_avx_vnni(rounds);
    return chains * 32;
  }
  if (isa == "avx512_vnni") {
    dot_avx512_vnni(rounds);
    return chains * 64;
  }
  if (isa == "avx512_bf16") {
    dot_avx512_bf16(rounds);
    return chains * 32;
  }
  return 0;
}

}  // namespace clipnext::bench

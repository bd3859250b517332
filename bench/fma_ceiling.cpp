// Twelve independent chains of fused multiply-adds cover the latency of two units. The functions
// are compiled for their instruction set one by one; call them only where the CPU has it.
#include "fma_ceiling.h"

#include <immintrin.h>

namespace clipnext::bench {
namespace {

constexpr int kChains = 12;

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
  volatile float keep = acc[0][0];                               \
  (void)keep;

__attribute__((target("avx2,fma"))) void fma_avx2(int64_t rounds) {
  CLIPNEXT_FMA_LOOP(__m256, _mm256_set1_ps, _mm256_fmadd_ps)
}

__attribute__((target("avx512f"))) void fma_avx512(int64_t rounds) {
  CLIPNEXT_FMA_LOOP(__m512, _mm512_set1_ps, _mm512_fmadd_ps)
}

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
  return 0;
}

}  // namespace clipnext::bench

// Measures vdpbf16ps against FMA in registers: twelve independent chains cover the latency of both.
#include <immintrin.h>
#include <x86intrin.h>

#include <cstdint>

#include "kernels/isa/tables.h"

namespace clipnext::kernels::avx512_bf16 {
namespace {

constexpr int kChains = 12;
constexpr int kRounds = 100;

template <class Step>
[[gnu::always_inline]] inline uint64_t cycles(const Step& step) {
  uint64_t best = UINT64_MAX;
  for (int attempt = 0; attempt < 10; ++attempt) {
    __m512 sums[kChains];
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(1.0F);
    const uint64_t start = __rdtsc();
    for (int r = 0; r < kRounds; ++r) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) {
        sums[i] = step(sums[i]);
        __asm__ volatile("" : "+v"(sums[i]));  // no round may be left out
      }
    }
    const uint64_t taken = __rdtsc() - start;
    if (taken < best) best = taken;
  }
  return best;
}

}  // namespace

bool pays() noexcept {
  const __m512 ones = _mm512_set1_ps(1.0F);
  const __m512bh pairs = (__m512bh)ones;
  const uint64_t fma = cycles([&](__m512 s) { return _mm512_fmadd_ps(ones, ones, s); });
  const uint64_t dot = cycles([&](__m512 s) { return _mm512_dpbf16_ps(s, pairs, pairs); });
  return dot < fma * 17 / 10;  // a dot does twice the work
}

}  // namespace clipnext::kernels::avx512_bf16

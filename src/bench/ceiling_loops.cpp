// Fourteen independent chains cover the latency of two units. Each function is compiled for its own
// instruction set, whatever the rest of the program is compiled for.
#include "bench/ceiling_loops.h"

#include <immintrin.h>

#include "kernels/cpu.h"

namespace clipnext::bench {
namespace {

constexpr int kChains = 14;

// `step` makes the next value of acc[i] from it and `factor`.
#define CLIPNEXT_CHAINS(type, start, value, step)                                      \
  type acc[kChains];                                                                   \
  const type factor = value;                                                           \
  for (int i = 0; i < kChains; ++i) acc[i] = start;                                    \
  for (int64_t r = 0; r < rounds; ++r) {                                               \
    _Pragma("GCC unroll 14") for (int i = 0; i < kChains; ++i) {                       \
      type next = step;                                                                \
      __asm__ volatile("" : "+v"(next)); /* neither removed nor computed beforehand */ \
      acc[i] = next;                                                                   \
    }                                                                                  \
  }

__attribute__((target("avx2,fma"))) void fma_256(int64_t rounds) {
  CLIPNEXT_CHAINS(__m256, _mm256_set1_ps(1.0F), _mm256_set1_ps(1.0000001F),
                  _mm256_fmadd_ps(acc[i], factor, factor))
}

__attribute__((target("avx512f"))) void fma_512(int64_t rounds) {
  CLIPNEXT_CHAINS(__m512, _mm512_set1_ps(1.0F), _mm512_set1_ps(1.0000001F),
                  _mm512_fmadd_ps(acc[i], factor, factor))
}

// Pairs of products summed in 16 bits, as 7-bit activations allow for a few steps.
__attribute__((target("avx2"))) void maddubs_256(int64_t rounds) {
  CLIPNEXT_CHAINS(__m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1),
                  _mm256_add_epi16(acc[i], _mm256_maddubs_epi16(factor, acc[i])))
}

__attribute__((target("avx512f,avx512vnni"))) void dpbusd_512(int64_t rounds) {
  CLIPNEXT_CHAINS(__m512i, _mm512_setzero_si512(), _mm512_set1_epi8(1),
                  _mm512_dpbusd_epi32(acc[i], factor, factor))
}

__attribute__((target("avx512f,avx512bf16"))) void dpbf16_512(int64_t rounds) {
  const __m512i ones = _mm512_set1_epi16(0x3f80);
  CLIPNEXT_CHAINS(__m512, _mm512_setzero_ps(), _mm512_castsi512_ps(ones),
                  _mm512_dpbf16_ps(acc[i], (__m512bh)factor, (__m512bh)factor))
}

#undef CLIPNEXT_CHAINS

bool has_avx2() { return kernels::detect_cpu().avx2; }
bool has_avx512() { return kernels::detect_cpu().avx512; }
bool has_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni") != 0; }
bool has_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16") != 0; }

// Operations of one round: chains, multiply-adds in one instruction, two each.
constexpr double operations(int multiply_adds) { return 2.0 * kChains * multiply_adds; }

constexpr CeilingLoop kLoops[] = {
    {"fp32", "vfmadd (256 bits)", "avx2", has_avx2, fma_256, operations(8)},
    {"fp32", "vfmadd (512 bits)", "avx512", has_avx512, fma_512, operations(16)},
    {"bf16", "vdpbf16ps (512 bits)", "avx512", has_bf16, dpbf16_512, operations(32)},
    {"int8", "vpmaddubsw + vpaddw (256 bits)", "avx2", has_avx2, maddubs_256, operations(32)},
    {"int8", "vpdpbusd (512 bits)", "avx512", has_vnni, dpbusd_512, operations(64)},
};

}  // namespace

std::span<const CeilingLoop> ceiling_loops() { return kLoops; }

}  // namespace clipnext::bench

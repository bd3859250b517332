// Fourteen independent chains cover the latency of two units. Each function is compiled for its own
// instruction set, whatever the rest of the program is compiled for.
#include "bench/ceiling_loops.h"

#include <immintrin.h>

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

__attribute__((target("avx2,avxvnni"))) void dpbusd_256(int64_t rounds) {
  CLIPNEXT_CHAINS(__m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1),
                  _mm256_dpbusd_avx_epi32(acc[i], factor, factor))
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

// Four products of tiles (16 rows of 64 bytes, zeros) a round, two by two as in a kernel.
struct TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

#define CLIPNEXT_TILES(multiply)         \
  const TileConfig config;               \
  _tile_loadconfig(&config);             \
  _tile_zero(0);                         \
  _tile_zero(1);                         \
  _tile_zero(2);                         \
  _tile_zero(3);                         \
  _tile_zero(4);                         \
  _tile_zero(5);                         \
  _tile_zero(6);                         \
  _tile_zero(7);                         \
  for (int64_t r = 0; r < rounds; ++r) { \
    multiply(0, 4, 6);                   \
    multiply(1, 4, 7);                   \
    multiply(2, 5, 6);                   \
    multiply(3, 5, 7);                   \
  }                                      \
  _tile_release();

__attribute__((target("amx-tile,amx-bf16"))) void amx_bf16(int64_t rounds) {
  CLIPNEXT_TILES(_tile_dpbf16ps)
}

__attribute__((target("amx-tile,amx-int8"))) void amx_int8(int64_t rounds) {
  CLIPNEXT_TILES(_tile_dpbusd)
}

#undef CLIPNEXT_TILES

// Operations of one round: chains, multiply-adds in one instruction, two each.
constexpr double operations(int multiply_adds) { return 2.0 * kChains * multiply_adds; }

// The same of the tile loops: 16 by 16 sums over `depth`.
constexpr double tile_operations(int depth) { return 4 * 2.0 * 16 * 16 * depth; }

constexpr CeilingLoop kLoops[] = {
    {"fp32", "vfmadd (256 bits)", "avx2", fma_256, operations(8)},
    {"fp32", "vfmadd (512 bits)", "avx512", fma_512, operations(16)},
    {"bf16", "vdpbf16ps (512 bits)", "avx512_bf16", dpbf16_512, operations(32)},
    {"bf16", "tdpbf16ps", "amx_bf16", amx_bf16, tile_operations(32)},
    {"int8", "vpmaddubsw + vpaddw (256 bits)", "avx2", maddubs_256, operations(32)},
    {"int8", "vpdpbusd (256 bits)", "avx_vnni", dpbusd_256, operations(32)},
    {"int8", "vpdpbusd (512 bits)", "avx512_vnni", dpbusd_512, operations(64)},
    {"int8", "tdpbusd", "amx_int8", amx_int8, tile_operations(64)},
};

}  // namespace

std::span<const CeilingLoop> ceiling_loops() { return kLoops; }

}  // namespace clipnext::bench

// AVX-512 and VNNI over AVX2, for tests: SIMDe, and in plain code what its version 0.7.4 lacks.
// Masked loads and stores touch no lane that their mask leaves out, so that sanitizers see what the
// kernels touch.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <cstdint>

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

using Words [[gnu::vector_size(64)]] = int32_t;
using ShortWords [[gnu::vector_size(32)]] = uint16_t;

template <class Lane, class Vector>
static inline Vector load_lanes(uint64_t mask, const void* p) {
  Vector v = {};
  for (uint64_t i = 0; i < sizeof v; i += sizeof(Lane), mask >>= 1) {
    if ((mask & 1) == 0) continue;
    __builtin_memcpy(reinterpret_cast<char*>(&v) + i, static_cast<const char*>(p) + i,
                     sizeof(Lane));
  }
  return v;
}
template <class Lane, class Vector>
static inline void store_lanes(uint64_t mask, void* p, Vector v) {
  for (uint64_t i = 0; i < sizeof v; i += sizeof(Lane), mask >>= 1) {
    if ((mask & 1) == 0) continue;
    __builtin_memcpy(static_cast<char*>(p) + i, reinterpret_cast<const char*>(&v) + i,
                     sizeof(Lane));
  }
}

static inline __m256 half_of(__m512 v, int64_t half) {
  __m256 part;
  __builtin_memcpy(&part, reinterpret_cast<const char*>(&v) + 32 * half, sizeof part);
  return part;
}
static inline __m512i round_halves(__m512 v) {
  const __m256i halves[2] = {_mm256_cvtps_epi32(half_of(v, 0)), _mm256_cvtps_epi32(half_of(v, 1))};
  __m512i words;
  __builtin_memcpy(&words, halves, sizeof words);
  return words;
}

/// The lower half of each word; its lowest byte.
static inline __m256i to_short_words(__m512i v) {
  return (__m256i) __builtin_convertvector((Words)v, ShortWords);
}
static inline void store_bytes(uint64_t mask, void* p, __m512i v) {
  using Bytes [[gnu::vector_size(16)]] = uint8_t;
  store_lanes<uint8_t>(mask, p, __builtin_convertvector((Words)v, Bytes));
}

/// Two 128-bit parts of a, then two of b; two bits of `parts` name each, the last bits the first.
static inline __m512i choose_parts(__m512i a, __m512i b, int64_t parts) {
  __m512i chosen;
  for (int64_t i = 0; i < 4; ++i, parts >>= 2) {
    __builtin_memcpy(reinterpret_cast<char*>(&chosen) + 16 * i,
                     reinterpret_cast<const char*>(i < 2 ? &a : &b) + 16 * (parts & 3), 16);
  }
  return chosen;
}

/// The upper values of each pair first. SIMDe goes value by value, at which GCC spends 10 seconds.
static inline __m512 dot_pairs(__m512 sum, __m512bh a, __m512bh b) {
  const Words x = (Words)a, y = (Words)b;
  constexpr int32_t kUpper = -65536;
  sum = _mm512_fmadd_ps((__m512)(x & kUpper), (__m512)(y & kUpper), sum);
  return _mm512_fmadd_ps((__m512)(x << 16), (__m512)(y << 16), sum);
}

/// To nearest even; numbers below the smallest normal one become 0, as the instruction has it.
static inline uint16_t nearest_bf16(uint32_t bits) {
  const uint32_t size = bits & 0x7fffffff;
  if (size > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  if (size < 0x00800000) return static_cast<uint16_t>(bits >> 16 & 0x8000);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline __m256i nearest_bf16(__m512 v) {
  ShortWords narrow;
  for (int i = 0; i < 16; ++i) narrow[i] = nearest_bf16(static_cast<uint32_t>(((Words)v)[i]));
  return (__m256i)narrow;
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

// NOLINTBEGIN(bugprone-reserved-identifier): the names are the intrinsics'.
// <immintrin.h> declares these for another target; SIMDe's own name for madd has wrong parameters.
#undef _mm256_dpbusd_avx_epi32
#undef _mm256_mask_storeu_epi16
#undef _mm256_maskz_loadu_epi16
#undef _mm256_maskz_loadu_epi32
#undef _mm512_cvtepi32_epi16
#undef _mm512_cvtepi32_ps
#undef _mm512_cvtepu16_epi32
#undef _mm512_cvtneps_pbh
#undef _mm512_cvtps_epi32
#undef _mm512_dpbf16_ps
#undef _mm512_extractf32x8_ps
#undef _mm512_madd_epi16
#undef _mm512_mask_cvtepi32_storeu_epi8
#undef _mm512_mask_storeu_epi8
#undef _mm512_mask_storeu_ps
#undef _mm512_maskz_loadu_epi8
#undef _mm512_maskz_loadu_ps
#undef _mm512_maskz_slli_epi32
#undef _mm512_maskz_srai_epi32
#undef _mm512_shuffle_i64x2
#define _mm256_dpbusd_avx_epi32(sum, a, b) simde_mm256_dpbusd_epi32(sum, a, b)
#define _mm256_mask_storeu_epi16(p, mask, v) store_lanes<uint16_t>(mask, p, v)
#define _mm256_maskz_loadu_epi16(mask, p) load_lanes<uint16_t, __m256i>(mask, p)
#define _mm256_maskz_loadu_epi32(mask, p) load_lanes<int32_t, __m256i>(mask, p)
#define _mm512_cvtepi32_epi16(v) to_short_words(v)
#define _mm512_cvtepi32_ps(v) __builtin_convertvector((Words)(v), __m512)
#define _mm512_cvtepu16_epi32(v) (__m512i) __builtin_convertvector((ShortWords)(v), Words)
#define _mm512_cvtneps_pbh(v) nearest_bf16(v)
#define _mm512_cvtps_epi32(v) round_halves(v)
#define _mm512_dpbf16_ps(sum, a, b) dot_pairs(sum, a, b)
#define _mm512_extractf32x8_ps(v, half) half_of(v, half)
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)
#define _mm512_mask_cvtepi32_storeu_epi8(p, mask, v) store_bytes(mask, p, v)
#define _mm512_mask_storeu_epi8(p, mask, v) store_lanes<uint8_t>(mask, p, v)
#define _mm512_mask_storeu_ps(p, mask, v) store_lanes<float>(mask, p, v)
#define _mm512_maskz_loadu_epi8(mask, p) load_lanes<uint8_t, __m512i>(mask, p)
#define _mm512_maskz_loadu_ps(mask, p) load_lanes<float, __m512>(mask, p)
#define _mm512_maskz_slli_epi32(mask, v, by) _mm512_maskz_mov_epi32(mask, _mm512_slli_epi32(v, by))
#define _mm512_maskz_srai_epi32(mask, v, by) \
  _mm512_maskz_mov_epi32(mask, (__m512i)((Words)(v) >> (by)))
#define _mm512_shuffle_i64x2(a, b, parts) choose_parts(a, b, parts)
// NOLINTEND(bugprone-reserved-identifier)

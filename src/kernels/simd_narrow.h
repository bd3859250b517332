// Vectors of f32 to and from bf16 and 8 bits, and the f32v seen as 32-bit integers.
#pragma once

#include "kernels/simd.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

#ifdef CLIPNEXT_AVX512

using i32v = __m512i;
static inline i32v bits(f32v a) { return _mm512_castps_si512(a); }
static inline f32v from_bits(i32v a) { return _mm512_castsi512_ps(a); }
static inline i32v set_int(int32_t a) { return _mm512_set1_epi32(a); }
static inline i32v load_int(const int32_t* p) { return _mm512_loadu_si512(p); }
static inline i32v add_int(i32v a, i32v b) { return _mm512_add_epi32(a, b); }
static inline i32v sub_int(i32v a, i32v b) { return _mm512_sub_epi32(a, b); }
static inline i32v mul_int(i32v a, i32v b) { return _mm512_mullo_epi32(a, b); }
static inline i32v and_int(i32v a, i32v b) { return _mm512_and_si512(a, b); }
static inline i32v shift_left_16(i32v a) { return _mm512_slli_epi32(a, 16); }
static inline i32v clamp_int(i32v a, i32v low, i32v high) {
  return _mm512_min_epi32(_mm512_max_epi32(a, low), high);
}
static inline int32_t first_lane(i32v a) { return _mm_cvtsi128_si32(_mm512_castsi512_si128(a)); }
static inline f32v to_float(i32v a) { return _mm512_cvtepi32_ps(a); }
static inline i32v round_to_int(f32v a) { return _mm512_cvtps_epi32(a); }

/// The first count bytes, zeros after them; count > 0.
static inline f32v load_bytes(const void* p, int64_t count) {
  if (count >= 64) return load(static_cast<const float*>(p));
  return from_bits(_mm512_maskz_loadu_epi8((uint64_t{1} << count) - 1, p));
}

static inline __m256i narrow_bf16(f32v a) {
#ifdef CLIPNEXT_AVX512_BF16
  return (__m256i)_mm512_cvtneps_pbh(a);
#else
  const i32v x = bits(a);
  const i32v odd = _mm512_and_si512(_mm512_srli_epi32(x, 16), set_int(1));
  const i32v nan = _mm512_or_si512(x, set_int(0x400000));
  const i32v up = add_int(add_int(x, set_int(0x7fff)), odd);
  const i32v y = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), up, nan);
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(y, 16));
#endif
}
static inline void store_first(uint16_t* p, f32v v, int64_t count) {
  if (count >= kLanes) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow_bf16(v));
  } else {
    _mm256_mask_storeu_epi16(p, first_lanes(count), narrow_bf16(v));
  }
}
static inline f32v load_first(const uint16_t* p, int64_t count) {
  const __m256i x = count >= kLanes ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))
                                    : _mm256_maskz_loadu_epi16(first_lanes(count), p);
  return from_bits(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
/// Lanes in 0 .. 255 as bytes.
static inline void store_first(uint8_t* p, i32v v, int64_t count) {
  _mm512_mask_cvtepi32_storeu_epi8(p, count >= kLanes ? 0xffff : first_lanes(count), v);
}

#else

using i32v = __m256i;
static inline i32v bits(f32v a) { return _mm256_castps_si256(a); }
static inline f32v from_bits(i32v a) { return _mm256_castsi256_ps(a); }
static inline i32v set_int(int32_t a) { return _mm256_set1_epi32(a); }
static inline i32v load_int(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
static inline i32v add_int(i32v a, i32v b) { return _mm256_add_epi32(a, b); }
static inline i32v sub_int(i32v a, i32v b) { return _mm256_sub_epi32(a, b); }
static inline i32v mul_int(i32v a, i32v b) { return _mm256_mullo_epi32(a, b); }
static inline i32v and_int(i32v a, i32v b) { return _mm256_and_si256(a, b); }
static inline i32v shift_left_16(i32v a) { return _mm256_slli_epi32(a, 16); }
static inline i32v clamp_int(i32v a, i32v low, i32v high) {
  return _mm256_min_epi32(_mm256_max_epi32(a, low), high);
}
static inline int32_t first_lane(i32v a) { return _mm_cvtsi128_si32(_mm256_castsi256_si128(a)); }
static inline f32v to_float(i32v a) { return _mm256_cvtepi32_ps(a); }
static inline i32v round_to_int(f32v a) { return _mm256_cvtps_epi32(a); }

/// The first count bytes, zeros after them; count > 0.
static inline f32v load_bytes(const void* p, int64_t count) {
  if (count >= 32) return load(static_cast<const float*>(p));
  alignas(32) char bytes[32] = {};
  __builtin_memcpy(bytes, p, static_cast<size_t>(count));
  return from_bits(_mm256_load_si256(reinterpret_cast<const __m256i*>(bytes)));
}

static inline __m128i narrow_bf16(f32v a) {
  const i32v x = bits(a);
  const i32v odd = _mm256_and_si256(_mm256_srli_epi32(x, 16), set_int(1));
  const i32v nan = _mm256_or_si256(x, set_int(0x400000));
  const i32v up = add_int(add_int(x, set_int(0x7fff)), odd);
  const f32v y = _mm256_blendv_ps(from_bits(up), from_bits(nan), _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
  const i32v z = _mm256_srli_epi32(bits(y), 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(z), _mm256_extracti128_si256(z, 1));
}
static inline void store_first(uint16_t* p, f32v v, int64_t count) {
  const __m128i x = narrow_bf16(v);
  if (count >= kLanes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), x);
  } else {
    __builtin_memcpy(p, &x, static_cast<size_t>(count) * 2);
  }
}
static inline f32v load_first(const uint16_t* p, int64_t count) {
  __m128i x = _mm_setzero_si128();
  if (count >= kLanes) {
    x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  } else {
    __builtin_memcpy(&x, p, static_cast<size_t>(count) * 2);
  }
  return from_bits(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}
/// Lanes in 0 .. 255 as bytes.
static inline void store_first(uint8_t* p, i32v v, int64_t count) {
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  const __m128i bytes = _mm_packus_epi16(words, words);
  __builtin_memcpy(p, &bytes, static_cast<size_t>(smaller(count, kLanes)));
}

#endif

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

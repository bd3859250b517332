// f32v: a vector of 8 or 16 floats, and the few operations the kernels are written with. Compiled
// once per instruction set; every function is static, so nothing leaks to the linker.
#pragma once

#include <cstdint>

#include "kernels/intrinsics.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

#ifdef CLIPNEXT_AVX512

using f32v = __m512;
using maskv = __mmask16;
constexpr int64_t kLanes = 16;

static inline maskv first_lanes(int64_t count) { return static_cast<maskv>((1U << count) - 1); }
static inline f32v load(const float* p) { return _mm512_loadu_ps(p); }
static inline f32v load(maskv m, const float* p) { return _mm512_maskz_loadu_ps(m, p); }
static inline void store(float* p, f32v v) { _mm512_storeu_ps(p, v); }
static inline void store(maskv m, float* p, f32v v) { _mm512_mask_storeu_ps(p, m, v); }
static inline f32v set(float x) { return _mm512_set1_ps(x); }
static inline f32v zero() { return _mm512_setzero_ps(); }
static inline f32v add(f32v a, f32v b) { return _mm512_add_ps(a, b); }
static inline f32v sub(f32v a, f32v b) { return _mm512_sub_ps(a, b); }
static inline f32v mul(f32v a, f32v b) { return _mm512_mul_ps(a, b); }
static inline f32v div(f32v a, f32v b) { return _mm512_div_ps(a, b); }
/// b if either is NaN.
static inline f32v max(f32v a, f32v b) { return _mm512_max_ps(a, b); }
static inline f32v min(f32v a, f32v b) { return _mm512_min_ps(a, b); }
static inline f32v abs(f32v a) { return _mm512_abs_ps(a); }
/// a * b + c and c - a * b, rounded once.
static inline f32v fma(f32v a, f32v b, f32v c) { return _mm512_fmadd_ps(a, b, c); }
static inline f32v fnma(f32v a, f32v b, f32v c) { return _mm512_fnmadd_ps(a, b, c); }
/// v with bits (as integers) shifted into its exponent: v * 2^n for the last 9 bits n.
static inline f32v add_exponent(f32v v, f32v bits) {
  const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(bits), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(v), n));
}
static inline maskv negative(f32v a) { return _mm512_cmp_ps_mask(a, zero(), _CMP_LT_OQ); }
/// a in the lanes of m, 0 elsewhere.
static inline f32v keep(maskv m, f32v a) { return _mm512_maskz_mov_ps(m, a); }
static inline f32v select(maskv m, f32v a, f32v b) { return _mm512_mask_blend_ps(m, b, a); }

static inline __m256 low_half(f32v a) { return _mm512_castps512_ps256(a); }
static inline __m256 high_half(f32v a) { return _mm512_extractf32x8_ps(a, 1); }
static inline __m256 fold_add(f32v a) { return _mm256_add_ps(low_half(a), high_half(a)); }
static inline __m256 fold_max(f32v a) { return _mm256_max_ps(low_half(a), high_half(a)); }

#else

using f32v = __m256;
using maskv = __m256i;
constexpr int64_t kLanes = 8;

static inline maskv first_lanes(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline f32v load(const float* p) { return _mm256_loadu_ps(p); }
static inline f32v load(maskv m, const float* p) { return _mm256_maskload_ps(p, m); }
static inline void store(float* p, f32v v) { _mm256_storeu_ps(p, v); }
static inline void store(maskv m, float* p, f32v v) { _mm256_maskstore_ps(p, m, v); }
static inline f32v set(float x) { return _mm256_set1_ps(x); }
static inline f32v zero() { return _mm256_setzero_ps(); }
static inline f32v add(f32v a, f32v b) { return _mm256_add_ps(a, b); }
static inline f32v sub(f32v a, f32v b) { return _mm256_sub_ps(a, b); }
static inline f32v mul(f32v a, f32v b) { return _mm256_mul_ps(a, b); }
static inline f32v div(f32v a, f32v b) { return _mm256_div_ps(a, b); }
/// b if either is NaN.
static inline f32v max(f32v a, f32v b) { return _mm256_max_ps(a, b); }
static inline f32v min(f32v a, f32v b) { return _mm256_min_ps(a, b); }
static inline f32v abs(f32v a) { return _mm256_andnot_ps(set(-0.0F), a); }
/// a * b + c and c - a * b, rounded once.
static inline f32v fma(f32v a, f32v b, f32v c) { return _mm256_fmadd_ps(a, b, c); }
static inline f32v fnma(f32v a, f32v b, f32v c) { return _mm256_fnmadd_ps(a, b, c); }
/// v with bits (as integers) shifted into its exponent: v * 2^n for the last 9 bits n.
static inline f32v add_exponent(f32v v, f32v bits) {
  const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(bits), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), n));
}
static inline maskv negative(f32v a) {
  return _mm256_castps_si256(_mm256_cmp_ps(a, zero(), _CMP_LT_OQ));
}
/// a in the lanes of m, 0 elsewhere.
static inline f32v keep(maskv m, f32v a) { return _mm256_and_ps(_mm256_castsi256_ps(m), a); }
static inline f32v select(maskv m, f32v a, f32v b) {
  return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(m));
}

static inline __m256 fold_add(f32v a) { return a; }
static inline __m256 fold_max(f32v a) { return a; }

#endif

/// The sum of all lanes, halves first.
static inline float sum(f32v a) {
  const __m256 b = fold_add(a);
  const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  const __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

static inline float max_lane(f32v a) {
  const __m256 b = fold_max(a);
  const __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  const __m128 d = _mm_max_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}

static inline double square_root(double a) {
  return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(a)));
}

/// Asks for a cache line in L2; any address will do.
static inline void prefetch(const float* p) { _mm_prefetch(p, _MM_HINT_T1); }
/// The same for L1.
static inline void prefetch_near(const float* p) { _mm_prefetch(p, _MM_HINT_T0); }

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t round_up(int64_t a, int64_t step) { return (a + step - 1) / step * step; }

/// The first count lanes from or to memory, whole vectors without a mask: AMD's masked AVX2 stores
/// are microcoded. count > 0; the other lanes load as 0.
static inline f32v load_first(const float* p, int64_t count) {
  return count >= kLanes ? load(p) : load(first_lanes(count), p);
}
static inline void store_first(float* p, f32v v, int64_t count) {
  if (count >= kLanes) {
    store(p, v);
  } else {
    store(first_lanes(count), p, v);
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

// Exact sums of bytes times fixed-point weights, two taps at a time. vpmaddwd multiplies words, so
// a weight is split: w = 2^15 high + low, low in 0 .. 2^15 - 1. Both sums are modulo 2^32 as is the
// total, which is exact where it fits 32 bits; 22 fraction bits as ResamplePlan has.
#pragma once

#include "kernels/simd_narrow.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

constexpr int64_t kBytes = 4 * kLanes;
constexpr int64_t kPairs = kLanes / 4;  // one for each 128 bits

/// Weights of two taps as words, the earlier one low.
struct PairWeights {
  i32v high, low;
};
struct PairSums {
  i32v high, low;
};

/// For a shuffle of 16 bytes to words: of pixels 0 and 1, both values of channel 0, both of channel
/// 1, ...; in the upper half of pixels 2 and 3.
template <int kChannels>
static inline __m256i pair_order() {
  const auto dword = [](uint32_t pixel, uint32_t channel) {
    const uint32_t first = pixel * kChannels + channel;
    // A byte 0x80 gives 0.
    return static_cast<int>(channel < kChannels ? 0x80008000 | (first + kChannels) << 16 | first
                                                : 0x80808080);
  };
  return _mm256_setr_epi32(dword(0, 0), dword(0, 1), dword(0, 2), dword(0, 3), dword(2, 0),
                           dword(2, 1), dword(2, 2), dword(2, 3));
}

#ifdef CLIPNEXT_AVX512

static inline i32v multiply_pairs(i32v a, i32v b) { return _mm512_madd_epi16(a, b); }
// With a mask of all lanes, since GCC 12's own header warns about the plain ones.
static inline i32v shift_left_15(i32v a) { return _mm512_maskz_slli_epi32(0xffff, a, 15); }
/// A sum's integer part, rounded.
static inline i32v rounded(i32v a) {
  return _mm512_maskz_srai_epi32(0xffff, add_int(a, set_int(1 << 21)), 22);
}
static inline i32v interleave_low(i32v a, i32v b) { return _mm512_unpacklo_epi8(a, b); }
static inline i32v interleave_high(i32v a, i32v b) { return _mm512_unpackhi_epi8(a, b); }
static inline i32v pack_words(i32v a, i32v b) { return _mm512_packs_epi32(a, b); }
static inline i32v pack_bytes(i32v a, i32v b) { return _mm512_packus_epi16(a, b); }
/// The first count bytes; count > 0.
static inline void store_bytes(uint8_t* p, i32v v, int64_t count) {
  if (count >= kBytes) {
    _mm512_storeu_si512(p, v);
  } else {
    _mm512_mask_storeu_epi8(p, (uint64_t{1} << count) - 1, v);
  }
}

/// Pixels of kChannels bytes side by side: the words of pair k, channel by channel, in 128-bit part
/// k. Reads pixel_reach(kChannels) bytes.
template <int kChannels>
static inline i32v load_pixels(const uint8_t* p) {
  const auto at = [p](int64_t k) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + k));
  };
  const i32v two = _mm512_broadcast_i32x4(at(0));
  const i32v four = _mm512_mask_broadcast_i32x4(two, 0xff00, at(int64_t{4} * kChannels));
  return _mm512_shuffle_epi8(four, _mm512_broadcast_i64x4(pair_order<kChannels>()));
}
constexpr int64_t pixel_reach(int64_t channels) { return 4 * channels + 16; }

/// The first 2 * kPairs of count weights, 0 from count on; a pair in every dword of its 128 bits.
static inline PairWeights spread_weights(const int32_t* weights, int64_t count) {
  const __m256i w = _mm256_maskz_loadu_epi32(
      count >= 8 ? 0xff : static_cast<__mmask8>((1U << count) - 1), weights);
  const auto spread = [](__m256i v) {
    const __m256i pairs = _mm256_blend_epi16(v, _mm256_srli_epi64(v, 16), 0x22);
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6),
        _mm512_castsi256_si512(pairs));
  };
  return {spread(_mm256_srai_epi32(w, 15)), spread(_mm256_and_si256(w, _mm256_set1_epi32(0x7fff)))};
}

/// Four pixels, each the sum of a total's 128-bit parts.
static inline __m128i fold_pixels(i32v a, i32v b, i32v c, i32v d) {
  const auto fold = [](i32v x, i32v y) {  // [x0 + x2, x1 + x3, y0 + y2, y1 + y3]
    return add_int(_mm512_shuffle_i64x2(x, y, 0x44), _mm512_shuffle_i64x2(x, y, 0xee));
  };
  const i32v ab = fold(a, b);
  const i32v cd = fold(c, d);
  const i32v sums = add_int(_mm512_shuffle_i64x2(ab, cd, 0x88), _mm512_shuffle_i64x2(ab, cd, 0xdd));
  const i32v words = pack_words(rounded(sums), set_int(0));
  const i32v bytes = pack_bytes(words, words);
  const i32v first_dwords = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_castsi512_si128(_mm512_permutexvar_epi32(first_dwords, bytes));
}

#else

static inline i32v multiply_pairs(i32v a, i32v b) { return _mm256_madd_epi16(a, b); }
static inline i32v shift_left_15(i32v a) { return _mm256_slli_epi32(a, 15); }
/// A sum's integer part, rounded.
static inline i32v rounded(i32v a) { return _mm256_srai_epi32(add_int(a, set_int(1 << 21)), 22); }
static inline i32v interleave_low(i32v a, i32v b) { return _mm256_unpacklo_epi8(a, b); }
static inline i32v interleave_high(i32v a, i32v b) { return _mm256_unpackhi_epi8(a, b); }
static inline i32v pack_words(i32v a, i32v b) { return _mm256_packs_epi32(a, b); }
static inline i32v pack_bytes(i32v a, i32v b) { return _mm256_packus_epi16(a, b); }
/// The first count bytes; count > 0.
static inline void store_bytes(uint8_t* p, i32v v, int64_t count) {
  if (count >= kBytes) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
  } else {
    __builtin_memcpy(p, &v, static_cast<size_t>(count));
  }
}

/// Pixels of kChannels bytes side by side: the words of pair k, channel by channel, in 128-bit part
/// k. Reads pixel_reach(kChannels) bytes.
template <int kChannels>
static inline i32v load_pixels(const uint8_t* p) {
  const __m128i pixels = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(pixels), pair_order<kChannels>());
}
constexpr int64_t pixel_reach(int64_t) { return 16; }

/// The first 2 * kPairs of count weights, 0 from count on; a pair in every dword of its 128 bits.
static inline PairWeights spread_weights(const int32_t* weights, int64_t count) {
  const __m128i w = _mm_maskload_epi32(
      weights, _mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(smaller(count, 4))),
                               _mm_setr_epi32(0, 1, 2, 3)));
  const auto spread = [](__m128i v) {
    const __m128i pairs = _mm_blend_epi16(v, _mm_srli_epi64(v, 16), 0x22);
    return _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(pairs),
                                       _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2));
  };
  return {spread(_mm_srai_epi32(w, 15)), spread(_mm_and_si128(w, _mm_set1_epi32(0x7fff)))};
}

/// Four pixels, each the sum of a total's 128-bit parts.
static inline __m128i fold_pixels(i32v a, i32v b, i32v c, i32v d) {
  const auto fold = [](i32v x, i32v y) {
    return rounded(
        add_int(_mm256_permute2x128_si256(x, y, 0x20), _mm256_permute2x128_si256(x, y, 0x31)));
  };
  const i32v words = pack_words(fold(a, b), fold(c, d));
  const i32v bytes = pack_bytes(words, words);  // [a c a c, b d b d]
  return _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
}

#endif

/// The weights of two taps in every pair.
static inline PairWeights set_weights(int32_t first, int32_t second) {
  const auto words = [](int32_t a, int32_t b) {
    return set_int(static_cast<int32_t>((static_cast<uint32_t>(b) << 16) |
                                        (static_cast<uint32_t>(a) & 0xffff)));
  };
  return {words(first >> 15, second >> 15), words(first & 0x7fff, second & 0x7fff)};
}

static inline void accumulate(PairSums& sums, i32v pixels, const PairWeights& weights) {
  sums.high = add_int(sums.high, multiply_pairs(pixels, weights.high));
  sums.low = add_int(sums.low, multiply_pairs(pixels, weights.low));
}

static inline i32v total(const PairSums& sums) {
  return add_int(shift_left_15(sums.high), sums.low);
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

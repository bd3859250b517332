// The AMX micro-kernel: 32 rows by 32 columns of sums in two by two tiles, fed by one aligned tile
// load for each product. Rows past `rows` hold leftovers; no sum of another row sees them.
#pragma once

#include "kernels/amx/tiles.h"
#include "kernels/ops/gemm_driver.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

constexpr int64_t kHalf = 16;  // rows of a tile, words of its rows
static_assert(kTileColumns == 2 * kHalf);

/// The sums lie in tiles 0, 1 (upper half) and 2, 3 (lower).
template <int kLeft, int kRight>
static inline void load_sums(const float* from) {
  if (from == nullptr) {
    zero_tile<kLeft>();
    zero_tile<kRight>();
    return;
  }
  load_tile<kLeft>(from, kTileColumns);
  load_tile<kRight>(from + kHalf, kTileColumns);
}
template <int kLeft, int kRight>
static inline void store_sums(float* to) {
  store_tile<kLeft>(to, kTileColumns);
  store_tile<kRight>(to + kHalf, kTileColumns);
}

/// As tile_f32 with up to 32 rows. Product has one function, dot<sums, a, b>(), over tiles.
template <class Product, bool kBothHalves>
static void amx_tile(int64_t words, const float* a, const Panel& b, const float* from, float* to,
                     const float* next) {
  constexpr int64_t kLower = kHalf * kTileColumns;
  const float* left = b.left;
  const float* right = b.right;
  const int64_t step = b.step;
  load_sums<0, 1>(from);
  if (kBothHalves) load_sums<2, 3>(from != nullptr ? from + kLower : nullptr);
  for (int64_t i = 0; i < words; i += kHalf, next += 64) {
    for (int64_t line = 0; line < 4; ++line) prefetch(next + line * 16);
    load_tile<4>(a + i, kTileStride);
    load_tile<6>(left + i * step, step);
    Product::template dot<0, 4, 6>();
    load_tile<7>(right + i * step, step);
    Product::template dot<1, 4, 7>();
    if (!kBothHalves) continue;
    load_tile<5>(a + kHalf * kTileStride + i, kTileStride);
    Product::template dot<2, 5, 6>();
    Product::template dot<3, 5, 7>();
  }
  store_sums<0, 1>(to);
  if (kBothHalves) store_sums<2, 3>(to + kLower);
}

/// Part of a Type (gemm_driver.h) whose products are AMX's.
template <class T, class Product>
struct AmxType : PackedInWords<T, kHalf> {
  static constexpr int64_t kRows = 2 * kHalf;
  static constexpr int64_t kSpareRows = 2 * kHalf;  // tiles are read whole

  static void begin() { begin_tiles(); }
  static void end() { end_tiles(); }
  static void tile(int64_t rows, int64_t words, const float* a, const Panel& b, const float* from,
                   float* to, const float* next) {
    const auto run = rows > kHalf ? amx_tile<Product, true> : amx_tile<Product, false>;
    run(words, a, b, from, to, next);
  }
};

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

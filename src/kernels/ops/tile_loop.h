// The micro-kernel: 14 x 32 sums with AVX-512, 6 x 16 with AVX2. For each word of k two vectors of
// b are loaded, each row's word of a is broadcast, and Dot adds their products in registers. One
// function per number of rows, so that all of it unrolls.
#pragma once

#include "kernels/ops/tile.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

template <int kRows>
struct Sums {
  f32v left[kRows];
  f32v right[kRows];
};

/// Adds the products of one word of k.
template <class Dot, int kRows>
[[gnu::always_inline]] static inline void step(const float* a, const float* left_b,
                                               const float* right_b, Sums<kRows>& sums) {
  const f32v left = load(left_b);
  const f32v right = load(right_b);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const f32v x = set(a[r * kTileStride]);
    sums.left[r] = Dot::dot(x, left, sums.left[r]);
    sums.right[r] = Dot::dot(x, right, sums.right[r]);
  }
}

/// Words of k that a panel is brought into L1 before they are needed: where L1 is 32 KB it does not
/// stay there from one tile to the next. With 8 lanes, left and right share a line.
constexpr int64_t kAhead = 8;

template <class Dot, int kRows>
static void tile(int64_t depth, const float* a, const Panel& b, const float* from, float* to,
                 const float* next) {
  Sums<kRows> sums;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) sums.left[r] = sums.right[r] = zero();
  const float* left = b.left;
  const int64_t right = b.right - b.left;
  int64_t i = 0;
  for (; i + 4 <= depth; i += 4, a += 4, next += 16) {
    prefetch(next);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j, left += b.step) {
      prefetch_near(left + kAhead * b.step);
      if (kLanes == 16) prefetch_near(left + right + kAhead * b.step);
      step<Dot, kRows>(a + j, left, left + right, sums);
    }
  }
  for (; i < depth; ++i, ++a, left += b.step) step<Dot, kRows>(a, left, left + right, sums);
  if (from == nullptr) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r, to += kTileColumns) {
      store(to, sums.left[r]);
      store(to + kLanes, sums.right[r]);
    }
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r, to += kTileColumns, from += kTileColumns) {
    store(to, Dot::add(load(from), sums.left[r]));
    store(to + kLanes, Dot::add(load(from + kLanes), sums.right[r]));
  }
}

/// tile_f32 for any Dot.
template <class Dot>
static void run_tile(int64_t rows, int64_t depth, const float* a, const Panel& b, const float* from,
                     float* to, const float* next) {
  using Tile = void(int64_t, const float*, const Panel&, const float*, float*, const float*);
  static constexpr Tile* kTiles[] = {
      tile<Dot, 1>,  tile<Dot, 2>, tile<Dot, 3>, tile<Dot, 4>,  tile<Dot, 5>,  tile<Dot, 6>,
#ifdef CLIPNEXT_AVX512
      tile<Dot, 7>,  tile<Dot, 8>, tile<Dot, 9>, tile<Dot, 10>, tile<Dot, 11>, tile<Dot, 12>,
      tile<Dot, 13>, tile<Dot, 14>
#endif
  };
  static_assert(sizeof kTiles / sizeof *kTiles == kTileRows);
  kTiles[rows - 1](depth, a, b, from, to, next);
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

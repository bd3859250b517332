// 14 x 32 sums with AVX-512, 6 x 16 with AVX2: for each k two vectors of b are loaded, each row's
// element of a is broadcast, and the products are added in registers. One function per number of
// rows, so that all of it unrolls.
#include "kernels/ops/tile.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

template <int kRows>
struct Sums {
  f32v left[kRows];
  f32v right[kRows];
};

/// Adds the products of one k.
template <int kRows>
[[gnu::always_inline]] inline void step(const float* a, const float* b, Sums<kRows>& sums) {
  const f32v left = load(b);
  const f32v right = load(b + kLanes);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const f32v x = set(a[r * kTileStride]);
    sums.left[r] = fma(x, left, sums.left[r]);
    sums.right[r] = fma(x, right, sums.right[r]);
  }
}

template <int kRows>
void tile(int64_t depth, const float* a, const float* b, bool add_to, float* to,
          const float* next) {
  Sums<kRows> sums;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) sums.left[r] = sums.right[r] = zero();
  int64_t i = 0;
  for (; i + 4 <= depth; i += 4, a += 4, b += 4 * kTileColumns, next += 16) {
    prefetch(next);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) step<kRows>(a + j, b + j * kTileColumns, sums);
  }
  for (; i < depth; ++i, ++a, b += kTileColumns) step<kRows>(a, b, sums);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r, to += kTileColumns) {
    store(to, add_to ? add(load(to), sums.left[r]) : sums.left[r]);
    store(to + kLanes, add_to ? add(load(to + kLanes), sums.right[r]) : sums.right[r]);
  }
}

}  // namespace

void tile_f32(int64_t rows, int64_t depth, const float* a, const float* b, bool add_to, float* sums,
              const float* next) noexcept {
  using Tile = void(int64_t, const float*, const float*, bool, float*, const float*);
  static constexpr Tile* kTiles[] = {tile<1>,  tile<2>, tile<3>, tile<4>,  tile<5>,  tile<6>,
#ifdef __AVX512F__
                                     tile<7>,  tile<8>, tile<9>, tile<10>, tile<11>, tile<12>,
                                     tile<13>, tile<14>
#endif
  };
  static_assert(sizeof kTiles / sizeof *kTiles == kTileRows);
  kTiles[rows - 1](depth, a, b, add_to, sums, next);
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

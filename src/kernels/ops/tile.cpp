// 14 x 32 sums with AVX-512, 6 x 16 with AVX2: for each k two vectors of b are loaded, each row's
// element of a is broadcast, and the products are added in registers. One function per number of
// rows, so that all of it unrolls.
#include "kernels/ops/tile.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

template <int kRows>
void tile(int64_t depth, const float* a, const float* b, bool add_to, float* sums) {
  f32v left[kRows];
  f32v right[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) left[r] = right[r] = zero();
  for (int64_t i = 0; i < depth; ++i, ++a, b += kTileColumns) {
    const f32v b_left = load(b);
    const f32v b_right = load(b + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const f32v x = set(a[r * kTileStride]);
      left[r] = fma(x, b_left, left[r]);
      right[r] = fma(x, b_right, right[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r, sums += kTileColumns) {
    store(sums, add_to ? add(load(sums), left[r]) : left[r]);
    store(sums + kLanes, add_to ? add(load(sums + kLanes), right[r]) : right[r]);
  }
}

}  // namespace

void tile_f32(int64_t rows, int64_t depth, const float* a, const float* b, bool add_to,
              float* sums) noexcept {
  using Tile = void(int64_t, const float*, const float*, bool, float*);
  static constexpr Tile* kTiles[] = {tile<1>,  tile<2>, tile<3>, tile<4>,  tile<5>,  tile<6>,
#ifdef __AVX512F__
                                     tile<7>,  tile<8>, tile<9>, tile<10>, tile<11>, tile<12>,
                                     tile<13>, tile<14>
#endif
  };
  static_assert(sizeof kTiles / sizeof *kTiles == kTileRows);
  kTiles[rows - 1](depth, a, b, add_to, sums);
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

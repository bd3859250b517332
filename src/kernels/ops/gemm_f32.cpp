// Matrix product with packed weights. A block of rows (8 tiles) by a group of columns (8 panels)
// keeps its sums on the stack while k goes by in blocks: the block of a is copied there once per
// block of k (so that rows 4 KB apart do not evict each other) and stays in L2, a panel's block of
// weights (32 KB) stays in L1 while every tile of rows passes over it.
#include "kernels/kernels.h"
#include "kernels/ops/math.h"
#include "kernels/ops/tile.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

constexpr int64_t kTiles = kLanes == 16 ? 8 : 16;
constexpr int64_t kPanels = 8;
constexpr int64_t kBlockRows = kTiles * kTileRows;
constexpr int64_t kGroupColumns = kPanels * kTileColumns;

/// act and relu_after are the same for the whole call: decided once, outside the loops.
template <Act kAct, bool kReluAfter>
void finish(const float* sums, int64_t rows, int64_t columns, const Epilogue& e, int64_t row,
            int64_t column, float* c, int64_t ldc) {
  for (int64_t j = 0; j < columns; j += kLanes) {
    const int64_t left = columns - j;
    const f32v bias = e.bias != nullptr ? load_first(e.bias + column + j, left) : zero();
    const f32v scale = e.scale != nullptr ? load_first(e.scale + column + j, left) : set(1);
    for (int64_t r = 0; r < rows; ++r) {
      f32v y = activate(add(load(sums + r * kTileColumns + j), bias), kAct);
      if (e.scale != nullptr) y = mul(y, scale);
      if (e.residual != nullptr) {
        y = add(y, load_first(e.residual + (row + r) * e.ld_residual + column + j, left));
      }
      if (kReluAfter) y = relu(y);
      store_first(c + (row + r) * ldc + column + j, y, left);
    }
  }
}

using Finish = void(const float*, int64_t, int64_t, const Epilogue&, int64_t, int64_t, float*,
                    int64_t);

Finish* choose_finish(const Epilogue& e) {
  if (e.relu_after) return finish<Act::kNone, true>;
  switch (e.act) {
    case Act::kGelu:
      return finish<Act::kGelu, false>;
    case Act::kQuickGelu:
      return finish<Act::kQuickGelu, false>;
    case Act::kRelu:
      return finish<Act::kRelu, false>;
    case Act::kNone:
      break;
  }
  return finish<Act::kNone, false>;
}

constexpr int64_t kShare = kTileDepth / 4 * 16;  // floats that tile_f32 fetches
constexpr int64_t kFetchers = kTileDepth * kTileColumns / kShare;

/// Brings a tile of c, to be written soon, near.
void fetch_rows(const float* c, int64_t ldc, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    prefetch(c + r * ldc);
    prefetch(c + r * ldc + 16);
  }
}

}  // namespace

void pack_f32(const float* w, int64_t ldw, int64_t n, int64_t k, float* packed) noexcept {
  constexpr int64_t kLine = 16;  // a cache line of each row at a time
  for (int64_t j0 = 0; j0 < n; j0 += kTileColumns, packed += kTileColumns * k) {
    const int64_t columns = smaller(kTileColumns, n - j0);
    for (int64_t p0 = 0; p0 < k; p0 += kLine) {
      const int64_t p1 = smaller(k, p0 + kLine);
      for (int64_t j = 0; j < columns; ++j) {
        const float* row = w + (j0 + j) * ldw;
        for (int64_t p = p0; p < p1; ++p) packed[p * kTileColumns + j] = row[p];
      }
      for (int64_t j = columns; j < kTileColumns; ++j) {
        for (int64_t p = p0; p < p1; ++p) packed[p * kTileColumns + j] = 0;
      }
    }
  }
}

void gemm_f32(const float* a, int64_t lda, const float* packed, int64_t m, int64_t n, int64_t k,
              const Epilogue& epilogue, float* c, int64_t ldc) noexcept {
  alignas(64) float block[kBlockRows * kTileStride];
  alignas(64) float sums[kBlockRows * kGroupColumns];  // by panel, then row
  Finish* const finish_tile = choose_finish(epilogue);
  const int64_t tiles = (m + kTileRows - 1) / kTileRows;
  const int64_t blocks = (tiles + kTiles - 1) / kTiles;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t t0 = part_begin(tiles, blocks, i);
    const int64_t t1 = part_begin(tiles, blocks, i + 1);
    const int64_t row0 = part_begin(m, tiles, t0);
    const int64_t rows = part_begin(m, tiles, t1) - row0;
    for (int64_t j0 = 0; j0 < n; j0 += kGroupColumns) {
      const int64_t j1 = smaller(n, j0 + kGroupColumns);
      for (int64_t k0 = 0; k0 == 0 || k0 < k; k0 += kTileDepth) {
        const int64_t depth = smaller(kTileDepth, k - k0);
        const bool last = k0 + kTileDepth >= k;
        if (k > kTileDepth || j0 == 0) copy_to_tile(a + row0 * lda + k0, lda, rows, depth, block);
        for (int64_t j = j0; j < j1; j += kTileColumns) {
          const float* panel = packed + j * k + k0 * kTileColumns;
          const float* next = j + kTileColumns < j1 ? panel + kTileColumns * k
                              : !last               ? packed + j0 * k + (k0 + depth) * kTileColumns
                              : j1 < n              ? packed + j1 * k
                                                    : packed;
          for (int64_t t = t0; t < t1; ++t) {
            const int64_t r = part_begin(m, tiles, t) - row0;
            const int64_t r_end = part_begin(m, tiles, t + 1) - row0;
            float* tile = sums + (j - j0) * kBlockRows + r * kTileColumns;
            if (last) fetch_rows(c + (row0 + r) * ldc + j, ldc, r_end - r);
            // the first tiles fetch what comes after this panel's block, each a share
            const float* share = t - t0 < kFetchers ? next + (t - t0) * kShare : panel;
            tile_f32(r_end - r, depth, block + r * kTileStride, panel, k0 > 0, tile, share);
            if (!last) continue;
            finish_tile(tile, r_end - r, smaller(kTileColumns, n - j), epilogue, row0 + r, j, c,
                        ldc);
          }
        }
      }
    }
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

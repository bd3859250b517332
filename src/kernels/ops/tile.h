// The micro-kernels' shape, in words of 4 bytes: one f32, two bf16 or four 8-bit values along k.
#pragma once

#include "kernels/simd.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

constexpr int64_t kTileRows = kLanes == 16 ? 14 : 6;  // 28 of 32, 12 of 16 registers hold sums
constexpr int64_t kTileColumns = 2 * kLanes;
constexpr int64_t kTileDepth = 256;               // words that are summed before they are added
constexpr int64_t kTileStride = kTileDepth + 16;  // so that rows do not share a cache set
static_assert(kLanes == 16 || kTileColumns == 16);

/// Weights of kTileColumns columns: for each word of k, kLanes columns at left and at right, then
/// `step` words on to the next.
struct Panel {
  const float* left;
  const float* right;
  int64_t step;
};

/// Of weights packed as pack_f32 does, for all k: columns from j on, k from k0 on.
static inline Panel packed_panel(const float* packed, int64_t j, int64_t k0, int64_t k) {
  const float* at = packed + j * k + k0 * 16;
  return {at, at + (kLanes == 16 ? 16 * k : kLanes), 16};
}

/// a [rows, depth] in rows kTileStride apart times b [depth, kTileColumns], 0 < rows <= kTileRows,
/// depth <= kTileDepth: to sums [rows, kTileColumns], plus `from` (as sums, may be the same) if not
/// null. Meanwhile depth / 4 cache lines from `next` on are brought into L2.
void tile_f32(int64_t rows, int64_t depth, const float* a, const Panel& b, const float* from,
              float* sums, const float* next) noexcept;

/// Where the i-th of `parts` nearly equal ranges of `size` begins: a last tile of few rows would
/// leave the multipliers idle.
static inline int64_t part_begin(int64_t size, int64_t parts, int64_t i) {
  return size * i / parts;
}

/// Copies [rows, depth], rows ld apart, into rows kTileStride apart.
static inline void copy_to_tile(const float* a, int64_t ld, int64_t rows, int64_t depth,
                                float* tile) {
  for (int64_t r = 0; r < rows; ++r, a += ld, tile += kTileStride) {
    int64_t i = 0;
    for (; i + kLanes <= depth; i += kLanes) store(tile + i, load(a + i));
    if (i < depth) store(tile + i, load(first_lanes(depth - i), a + i));
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

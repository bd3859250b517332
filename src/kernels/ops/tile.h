// The f32 micro-kernel: a tile of products small enough that its sums stay in registers.
#pragma once

#include "kernels/simd.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

constexpr int64_t kTileRows = kLanes == 16 ? 14 : 6;  // 28 of 32, 12 of 16 registers hold sums
constexpr int64_t kTileColumns = 2 * kLanes;
constexpr int64_t kTileDepth = 64;                // products that are summed before they are added
constexpr int64_t kTileStride = kTileDepth + 16;  // so that rows do not share a cache set

/// a [rows, depth] in rows kTileStride apart times b [depth, kTileColumns], 0 < rows <= kTileRows,
/// depth <= kTileDepth: to sums [rows, kTileColumns], or added to them. Meanwhile depth / 4 cache
/// lines from `next` on are brought into L2.
void tile_f32(int64_t rows, int64_t depth, const float* a, const float* b, bool add_to, float* sums,
              const float* next) noexcept;

/// Where the i-th of `parts` nearly equal ranges of `size` begins: a last tile of few rows would
/// leave the multipliers idle.
static inline int64_t part_begin(int64_t size, int64_t parts, int64_t i) {
  return size * i / parts;
}

/// Copies [rows, depth], rows ld apart, into rows kTileStride apart.
static inline void copy_to_tile(const float* a, int64_t ld, int64_t rows, int64_t depth,
                                float* tile) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < depth; i += kLanes) {
      store(tile + r * kTileStride + i, load_first(a + r * ld + i, depth - i));
    }
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

// The loops around a micro-kernel, written once for every type. A block of rows (8 tiles) by a
// group of columns (8 panels) keeps its sums on the stack while k goes by in blocks: the block of a
// is copied there once per block of k (so that rows 4 KB apart do not evict each other) and stays
// in L2, a panel's block of weights (32 KB) stays in L1 while every tile of rows passes over it. A
// tile's last sums go to its finish through one small buffer that never leaves L1.
#pragma once

#include "kernels/kernels.h"
#include "kernels/ops/math.h"
#include "kernels/ops/tile.h"
#include "kernels/simd_narrow.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

/// Where a product goes and what happens to it on its way; rows, scales, sums: int8 only.
struct Output {
  const Epilogue& epilogue;
  void* c;
  int64_t ldc;
  const RowScale* rows = nullptr;
  const float* scales = nullptr;
  const int32_t* sums = nullptr;
};

/// Sums that are f32 as they are.
struct PlainSums {
  PlainSums(const Output& /*output*/, int64_t /*column*/) {}
  [[nodiscard]] f32v value(f32v sum, int64_t /*row*/) const { return sum; }
};

/// Integer sums of (a, packed weight), brought back to f32.
struct IntegerSums {
  IntegerSums(const Output& output, int64_t column)
      : rows(output.rows),
        scale(load(output.scales + column)),
        column_sum(load_int(output.sums + column)) {}
  [[nodiscard]] f32v value(f32v sum, int64_t row) const {
    const i32v exact = sub_int(bits(sum), mul_int(set_int(rows[row].zero), column_sum));
    return mul(to_float(exact), mul(set(rows[row].scale), scale));
  }
  const RowScale* rows;
  f32v scale;
  i32v column_sum;
};

static inline f32v activate_as(f32v y, Act act, const float* /*c*/) { return activate(y, act); }
static inline f32v activate_as(f32v y, Act act, const Bf16* /*c*/) {
  return act == Act::kGelu ? gelu_bf16(y) : activate(y, act);
}

/// Columns [column, column + count) of a tile, count at most kLanes.
template <class Values, class T, Act kAct, bool kReluAfter, bool kWhole>
static void finish_columns(const float* sums, int64_t rows, int64_t count, const Output& output,
                           int64_t row, int64_t column) {
  const int64_t lanes = kWhole ? kLanes : count;  // so that whole vectors need no comparison
  const Epilogue& e = output.epilogue;
  const Values values(output, column);
  const f32v bias = e.bias != nullptr ? load_first(e.bias + column, lanes) : zero();
  const f32v scale = e.scale != nullptr ? load_first(e.scale + column, lanes) : set(1);
  const bool scaled = e.scale != nullptr;
  const int64_t ld_residual = e.ld_residual;
  const float* residual = e.residual != nullptr ? e.residual + row * ld_residual + column : nullptr;
  const int64_t ldc = output.ldc;
  T* c = static_cast<T*>(output.c) + row * ldc + column;
  for (int64_t r = 0; r < rows; ++r, c += ldc) {
    const f32v sum = values.value(load(sums + r * kTileColumns), row + r);
    f32v y = activate_as(add(sum, bias), kAct, c);
    if (scaled) y = mul(y, scale);
    if (residual != nullptr) y = add(y, load_first(residual + r * ld_residual, lanes));
    if (kReluAfter) y = relu(y);
    store_first(c, y, lanes);
  }
}

/// act and relu_after are the same for the whole call: decided once, outside the loops.
template <class Values, class T, Act kAct, bool kReluAfter>
static void finish(const float* sums, int64_t rows, int64_t columns, const Output& output,
                   int64_t row, int64_t column) {
  for (int64_t j = 0; j < columns; j += kLanes) {
    const int64_t left = columns - j;
    const auto run = left >= kLanes ? finish_columns<Values, T, kAct, kReluAfter, true>
                                    : finish_columns<Values, T, kAct, kReluAfter, false>;
    run(sums + j, rows, left, output, row, column + j);
  }
}

using Finish = void(const float*, int64_t, int64_t, const Output&, int64_t, int64_t);

template <class Values, class T>
static Finish* choose_finish(const Epilogue& e) {
  if (e.relu_after) return finish<Values, T, Act::kNone, true>;
  switch (e.act) {
    case Act::kGelu:
      return finish<Values, T, Act::kGelu, false>;
    case Act::kQuickGelu:
      return finish<Values, T, Act::kQuickGelu, false>;
    case Act::kRelu:
      return finish<Values, T, Act::kRelu, false>;
    case Act::kNone:
      break;
  }
  return finish<Values, T, Act::kNone, false>;
}

constexpr int64_t kShare = kTileDepth / 4 * 16;  // words that a tile fetches
constexpr int64_t kFetchers = kTileDepth * kTileColumns / kShare;

/// The part of a panel's block that the i-th tile of rows before it fetches.
static inline const float* share(const Panel& next, int64_t i) {
  if (i >= kFetchers) return next.left;
  if (next.step == kTileColumns) return next.left + i * kShare;
  constexpr int64_t kHalf = kFetchers / 2;
  return i < kHalf ? next.left + i * kShare : next.right + (i - kHalf) * kShare;
}

/// Brings a tile of c, to be written soon, near.
template <class T>
static void fetch_rows(const T* c, int64_t ldc, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    for (size_t line = 0; line < kTileColumns * sizeof(T); line += 64) {
      prefetch(reinterpret_cast<const float*>(reinterpret_cast<const char*>(c + r * ldc) + line));
    }
  }
}

/// a times packed weights. Type says what the operands are:
///   Element of a; kDepth, how many are summed before they are added; Sums, how they end (above);
///   kRows of a tile, kSpareRows that it may read after those; kStaged, the size of stage's buffer;
///   begin(), end() around a call; copy(a, lda, rows, depth, block), to rows kTileStride words
///   apart, returns words of a row; panel(packed, j, k0, k) where columns from j and k from k0 on
///   lie; stage(panel, depth, buffer) where the tiles read them; tile(rows, words, a, panel, from,
///   to, next) as tile_f32.
template <class Type, class T>
static void multiply(const typename Type::Element* a, int64_t lda,
                     const typename Type::Packed* packed, int64_t m, int64_t n, int64_t k,
                     const Output& output) {
  constexpr int64_t kTiles = kLanes == 16 ? 8 : 16;
  constexpr int64_t kGroupColumns = 8 * kTileColumns;
  constexpr int64_t kBlockRows = kTiles * Type::kRows;
  alignas(64) float block[(kBlockRows + Type::kSpareRows) * kTileStride];
  alignas(64) float sums[kBlockRows * kGroupColumns];  // by panel, then row
  alignas(64) float last_sums[Type::kRows * kTileColumns];
  alignas(64) float staged[Type::kStaged];
  Finish* const finish_tile = choose_finish<typename Type::Sums, T>(output.epilogue);
  const T* c = static_cast<const T*>(output.c);
  Type::begin();
  const int64_t tiles = (m + Type::kRows - 1) / Type::kRows;
  const int64_t blocks = (tiles + kTiles - 1) / kTiles;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t t0 = part_begin(tiles, blocks, i);
    const int64_t t1 = part_begin(tiles, blocks, i + 1);
    const int64_t row0 = part_begin(m, tiles, t0);
    const int64_t rows = part_begin(m, tiles, t1) - row0;
    int64_t words = 0;
    for (int64_t j0 = 0; j0 < n; j0 += kGroupColumns) {
      const int64_t j1 = smaller(n, j0 + kGroupColumns);
      for (int64_t k0 = 0; k0 == 0 || k0 < k; k0 += Type::kDepth) {
        const int64_t depth = smaller(Type::kDepth, k - k0);
        const bool last = k0 + Type::kDepth >= k;
        if (k > Type::kDepth || j0 == 0) {
          words = Type::copy(a + row0 * lda + k0, lda, rows, depth, block);
        }
        for (int64_t j = j0; j < j1; j += kTileColumns) {
          const Panel next = j + kTileColumns < j1 ? Type::panel(packed, j + kTileColumns, k0, k)
                             : !last               ? Type::panel(packed, j0, k0 + depth, k)
                             : j1 < n              ? Type::panel(packed, j1, 0, k)
                                                   : Type::panel(packed, 0, 0, k);
          const Panel panel = Type::stage(Type::panel(packed, j, k0, k), words, staged);
          for (int64_t t = t0; t < t1; ++t) {
            const int64_t r = part_begin(m, tiles, t) - row0;
            const int64_t r_end = part_begin(m, tiles, t + 1) - row0;
            float* const kept =
                sums + (j - j0) * kBlockRows + (t - t0) * Type::kRows * kTileColumns;
            float* const to = last ? last_sums : kept;
            if (last) fetch_rows(c + (row0 + r) * output.ldc + j, output.ldc, r_end - r);
            Type::tile(r_end - r, words, block + r * kTileStride, panel, k0 > 0 ? kept : nullptr,
                       to, share(next, t - t0));
            if (!last) continue;
            finish_tile(to, r_end - r, smaller(kTileColumns, n - j), output, row0 + r, j);
          }
        }
      }
    }
  }
  Type::end();
}

/// Part of a Type: weights that the tiles read where they lie, in panels of 16 columns, of elements
/// T; rows of a are padded with zeros to kWordUnit words.
template <class T, int64_t kWordUnit = 1>
struct PackedInWords {
  using Packed = T;
  static constexpr int64_t kPerWord = 4 / sizeof(T);
  static constexpr int64_t kDepth = kTileDepth * kPerWord;
  static constexpr int64_t kRows = kTileRows;
  static constexpr int64_t kSpareRows = 0;
  static constexpr int64_t kStaged = 16;

  static void begin() {}
  static void end() {}
  static Panel panel(const T* packed, int64_t j, int64_t k0, int64_t k) {
    const int64_t depth = packed_depth<T>(k);
    const auto* at = reinterpret_cast<const float*>(packed + j * depth + k0 * 16);
    return {at, at + (kLanes == 16 ? 16 * depth / kPerWord : kLanes), 16};
  }
  static Panel stage(const Panel& panel, int64_t /*words*/, float* /*buffer*/) { return panel; }
  template <class Element>
  static int64_t copy(const Element* a, int64_t lda, int64_t rows, int64_t depth, float* block) {
    const int64_t words = round_up((depth + kPerWord - 1) / kPerWord, kWordUnit);
    for (int64_t r = 0; r < rows; ++r, a += lda) {
      for (int64_t i = 0; i < words; i += kLanes) {
        const int64_t at = i * kPerWord;
        const int64_t left = (depth - at) * static_cast<int64_t>(sizeof(T));
        store(block + r * kTileStride + i, left > 0 ? load_bytes(a + at, left) : zero());
      }
    }
    return words;
  }
};

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

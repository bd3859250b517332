// Attention of one head by tiles of queries: keys and values are packed once as a product's weights
// would be; a tile's scores for all keys, its softmax and its product with the values stay in L2.
// Keys go by in fixed blocks from the first on, and a key that a query does not see has probability
// exactly 0, so a query's result does not depend on how many unseen keys follow.
#include "kernels/kernels.h"
#include "kernels/ops/math.h"
#include "kernels/ops/tile.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

PackF32Fn pack_f32;  // gemm_f32.cpp

namespace {

constexpr int64_t kTileSize = kTileRows * kTileStride;  // one block of a tile's left operand

constexpr int64_t blocks_of(int64_t size) { return (size + kTileDepth - 1) / kTileDepth; }

/// Where everything lies in the caller's scratch, in floats from its beginning.
struct Layout {
  Layout(int64_t tk, int64_t d)
      : values(keys + packed_columns(tk) * d),
        scores(values + packed_columns(d) * tk),
        queries(scores + round_up(tk, kTileColumns) * kTileRows),
        probabilities(queries + blocks_of(d) * kTileSize),
        size(probabilities + blocks_of(tk) * kTileSize) {}
  int64_t keys = 0;       // as pack_f32 packs [tk, d]
  int64_t values;         // as it would pack their transpose
  int64_t scores;         // [panel of keys][kTileRows][kTileColumns]
  int64_t queries;        // [block of d][kTileRows][kTileStride]
  int64_t probabilities;  // [block of keys][kTileRows][kTileStride]
  int64_t size;
};

/// v [tk, d], rows ld apart, to panels of 16 columns, padded with zeros.
void pack_values(const float* v, int64_t ld, int64_t tk, int64_t d, float* packed) {
  constexpr int64_t kPanel = 16;
  for (int64_t e = 0; e < packed_columns(d); e += kLanes) {
    float* to = packed + e / kPanel * kPanel * tk + e % kPanel;
    for (int64_t j = 0; j < tk; ++j) {
      store(to + j * kPanel, e < d ? load_first(v + j * ld + e, d - e) : zero());
    }
  }
}

/// left (blocks of a tile, as above) [rows, depth] times columns [begin, end) of packed weights of
/// `packed_depth` to sums [tile][kTileRows][kTileColumns].
void multiply(const float* left, int64_t rows, int64_t depth, const float* packed,
              int64_t packed_depth, int64_t begin, int64_t end, float* sums) {
  for (int64_t j = begin; j < end; j += kTileColumns, sums += kTileRows * kTileColumns) {
    for (int64_t k = 0; k < depth; k += kTileDepth) {
      tile_f32(rows, smaller(kTileDepth, depth - k), left + k / kTileDepth * kTileSize,
               packed_panel(packed, j, k, packed_depth), k > 0 ? sums : nullptr, sums, packed);
    }
  }
}

/// Where lane 0 of keys j .. j + kLanes - 1 lies among a row's scores or probabilities.
int64_t score_at(int64_t j) {
  return j / kTileColumns * kTileRows * kTileColumns + j % kTileColumns;
}
int64_t probability_at(int64_t j) { return j / kTileDepth * kTileSize + j % kTileDepth; }

/// exp(scale (s - max s)) over the visible keys, 0 for those up to `keys`; returns 1 / their sum.
float softmax(const float* scores, int64_t visible, int64_t keys, float scale, float* p) {
  const f32v lowest = set(-__builtin_inff());
  f32v top = lowest;
  for (int64_t j = 0; j < visible; j += kLanes) {
    const f32v s = load(scores + score_at(j));
    const int64_t left = visible - j;
    top = max(left < kLanes ? select(first_lanes(left), s, lowest) : s, top);
  }
  const f32v most = set(max_lane(top));
  f32v total = zero();
  for (int64_t j = 0; j < keys; j += kLanes) {
    f32v e = zero();
    if (j < visible) {
      e = exp(mul(sub(load(scores + score_at(j)), most), set(scale)));
      if (visible - j < kLanes) e = keep(first_lanes(visible - j), e);
    }
    store(p + probability_at(j), e);
    total = add(total, e);
  }
  return 1 / sum(total);
}

}  // namespace

int64_t attention_scratch(int64_t tk, int64_t d) noexcept { return Layout(tk, d).size; }

void attention(const float* q, const float* k, const float* v, int64_t ld_qkv, int64_t tq,
               int64_t tk, int64_t d, bool causal, float* scratch, float* out,
               int64_t ld_out) noexcept {
  const Layout at(tk, d);
  float* const keys = scratch + at.keys;
  float* const values = scratch + at.values;
  float* const scores = scratch + at.scores;
  float* const queries = scratch + at.queries;
  float* const probabilities = scratch + at.probabilities;
  const float scale = static_cast<float>(1 / square_root(static_cast<double>(d)));
  pack_f32(k, ld_qkv, tk, d, keys);
  pack_values(v, ld_qkv, tk, d, values);
  const int64_t tiles = (tq + kTileRows - 1) / kTileRows;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row0 = part_begin(tq, tiles, t);
    const int64_t rows = part_begin(tq, tiles, t + 1) - row0;
    const int64_t seen = causal ? row0 + rows + tk - tq : tk;  // that the tile's last row sees
    for (int64_t e = 0; e < d; e += kTileDepth) {
      copy_to_tile(q + row0 * ld_qkv + e, ld_qkv, rows, smaller(kTileDepth, d - e),
                   queries + e / kTileDepth * kTileSize);
    }
    multiply(queries, rows, d, keys, d, 0, seen, scores);
    float inverse[kTileRows];
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t visible = causal ? seen - (rows - 1 - r) : seen;
      inverse[r] =
          softmax(scores + r * kTileColumns, visible, seen, scale, probabilities + r * kTileStride);
    }
    for (int64_t e = 0; e < d; e += kTileColumns) {
      float products[kTileRows * kTileColumns];
      multiply(probabilities, rows, seen, values, tk, e, e + kTileColumns, products);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < smaller(kTileColumns, d - e); i += kLanes) {
          const f32v y = mul(load(products + r * kTileColumns + i), set(inverse[r]));
          store_first(out + (row0 + r) * ld_out + e + i, y, d - e - i);
        }
      }
    }
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE

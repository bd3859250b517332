// The arithmetic of averaging: some elements of every ingredient to as many of the result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "soup/plan.h"

namespace clipnext::soup {

/// Elements that are widened and added up at a time, so that they stay in the cache.
inline constexpr int64_t kBlock = 4096;

/// values [begin, begin + count) of a tensor as doubles, which hold them exactly (64-bit integers
/// above 2^53 aside).
void widen(const weights::Tensor& tensor, int64_t begin, int64_t count, double* out);

/// Doubles as elements of a float type, rounded to nearest even, once. out [count * dtype_size].
void narrow(const double* values, int64_t count, weights::DType dtype, std::byte* out);

/// How many are NaN or infinite.
int64_t count_nonfinite(const double* values, int64_t count);

/// Scratch of one thread: the ingredients' elements of one block, and their mean.
struct Block {
  explicit Block(size_t ingredients) : rows(ingredients * kBlock), mean(kBlock) {}
  double* row(size_t i) { return rows.data() + i * kBlock; }

  std::vector<double> rows;
  std::vector<double> mean;
};

/// block.mean [count] of the rows. In double: equal weights are summed and then divided, so that
/// equal rows give themselves to the bit; others are multiplied and added, those of weight 0 left
/// out. `plan` gives weights and mode.
void average(const Plan& plan, int64_t count, Block& block);

/// The plan's values [begin, begin + count) of one tensor, count <= kBlock, into out
/// [count * dtype_size]; the rows stay in the block. A copied tensor is converted.
void make_values(const Plan& plan, const PlannedTensor& tensor, int64_t begin, int64_t count,
                 Block& block, std::byte* out);

}  // namespace clipnext::soup

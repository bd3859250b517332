// Products of the rows of two matrices, on the fp32 kernels of this processor. A product of two
// rows has the same bits whichever other rows are in the call, and on however many threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "base/workspace.h"
#include "kernels/kernels.h"

namespace clipnext::eval {

/// Rows of a matrix [count, dim] as the kernels read them.
class PackedRows {
 public:
  PackedRows() = default;
  PackedRows(const float* rows, int64_t count, int64_t dim, ThreadPool& pool) {
    assign(rows, count, dim, pool);
  }

  /// Takes a copy; the memory is reused.
  void assign(const float* rows, int64_t count, int64_t dim, ThreadPool& pool);

  int64_t count() const { return count_; }
  int64_t dim() const { return dim_; }

  /// out [m, count] = a [m, dim] times the rows from `begin` on, a multiple of
  /// kernels::kPackedColumns, plus bias [count] if not null; rows of out `ld` apart.
  void multiply(const float* a, int64_t m, int64_t begin, int64_t count, const float* bias,
                float* out, int64_t ld) const;

 private:
  int64_t count_ = 0;
  int64_t dim_ = 0;
  Buffer packed_;
};

/// A linear layer: one row of weights and one bias a class. Class vectors are one without bias.
struct LinearClasses {
  std::span<const float> weights;  // [classes, dim]
  std::span<const float> bias;     // [classes], or empty
  int64_t dim = 0;

  int64_t count() const { return dim > 0 ? static_cast<int64_t>(weights.size()) / dim : 0; }
};

/// Every score: [n, classes], for features [n, dim]. Throws Error if a size does not fit or a
/// feature or weight is not finite.
std::vector<float> all_scores(std::span<const float> features, const LinearClasses& classes,
                              ThreadPool& pool);

/// Throws Error unless `values` are whole rows of `dim` finite numbers; `what` is what they are.
/// Returns the number of rows.
int64_t check_rows(std::span<const float> values, int64_t dim, const char* what);

/// check_rows of both, and of the bias. Returns the number of features.
int64_t check_products(std::span<const float> features, const LinearClasses& classes);

}  // namespace clipnext::eval

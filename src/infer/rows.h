// Activations in the type that a product reads or writes.
#pragma once

#include <cstdint>

#include "base/workspace.h"
#include "infer/compute_type.h"
#include "kernels/kernels.h"

namespace clipnext::infer {

/// Rows of activations, `ld` elements apart: f32, bf16, or u8 with a scale for each row. Does not
/// own them.
struct Rows {
  ComputeType type = ComputeType::kFp32;
  void* values = nullptr;
  int64_t ld = 0;
  kernels::RowScale* scales = nullptr;  // kInt8

  float* f32() const { return static_cast<float*>(values); }
  kernels::Bf16* bf16() const { return static_cast<kernels::Bf16*>(values); }
  uint8_t* u8() const { return static_cast<uint8_t*>(values); }
  /// Those from `row` on.
  Rows from(int64_t row) const;
};

/// Memory for `count` rows of `cols`, borrowed. Rows begin on 64-byte boundaries and not at the
/// same place of a page, where they would fight for the same few lines of a cache.
class RowsLease {
 public:
  RowsLease(ScratchPool& pool, ComputeType type, int64_t count, int64_t cols);
  const Rows& rows() const { return rows_; }

 private:
  int64_t ld_;
  ScratchPool::Lease memory_;
  Rows rows_;
};

/// y = x in y's type; x [count, cols] is f32 or bf16, y the same or narrower.
void round_rows(const kernels::Kernels& kernels, const Rows& x, int64_t count, int64_t cols,
                const Rows& y);

/// y = LayerNorm(x), rounded to y's type; x [count, cols] f32, rows ldx apart, gain and bias
/// [cols].
struct NormSpec {
  const float* gain;
  const float* bias;
  float eps;
};
void norm_rows(const kernels::Kernels& kernels, const NormSpec& norm, const float* x, int64_t ldx,
               int64_t count, int64_t cols, const Rows& y);

}  // namespace clipnext::infer

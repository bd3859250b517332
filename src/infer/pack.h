// A model's parameters in the layout the kernels read: made once at load, or mapped from a packed
// file as they lie there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/thread_pool.h"
#include "infer/compute_type.h"
#include "kernels/kernels.h"
#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::infer {

/// One parameter. Matrices (linear layers and convolutions): packed panels of `n` outputs over `k`
/// inputs in the kernels' layout of `type`, a convolution's inputs in the order (ky, kx, channel)
/// of an NHWC patch; behind those of int8 the scales and the sums of the columns
/// (kernels::S8Weights). Depthwise weights: [49, c]. Vectors: as they are. Embedding tables stay
/// where they lie, in `table`. All but matrices are fp32, and their n is 0.
struct Weight {
  ComputeType type = ComputeType::kFp32;
  int64_t n = 0;
  int64_t k = 0;
  std::span<const std::byte> bytes;   // 64-byte aligned; empty for a table
  std::shared_ptr<const void> owner;  // keeps the bytes alive: memory, or a mapped file
  weights::Tensor table;

  /// fp32 values; null for a parameter that the model lacks.
  const float* data() const { return reinterpret_cast<const float*>(bytes.data()); }
  /// Of a bf16 matrix.
  const kernels::Bf16* bf16() const { return reinterpret_cast<const kernels::Bf16*>(bytes.data()); }
  /// Of an int8 matrix.
  kernels::S8Weights s8() const;
  /// All that it holds.
  std::span<const std::byte> contents() const { return bytes.empty() ? table.data : bytes; }
};

using Params = model::ClipParams<Weight>;

/// Bytes that a packed matrix of n outputs over k inputs takes.
int64_t packed_size(ComputeType type, int64_t n, int64_t k);

/// Outputs and inputs of the matrix that a parameter is packed as; n = 0 for one that is none.
struct MatrixShape {
  int64_t n = 0;
  int64_t k = 0;
};
MatrixShape matrix_shape(const model::ParamInfo& info);

/// Packs every parameter for `kernels`, in parallel, the matrices in the types given; batch norms
/// are folded into the convolutions before them, in double, and their own leaves left empty.
Params pack(const model::ClipConfig& config, model::ClipParams<weights::Tensor> tensors,
            const LayerTypes& types, const kernels::Kernels& kernels, ThreadPool& pool);

/// One parameter, in `type` if it is a matrix. Embedding tables are not copied.
Weight pack_weight(const weights::Tensor& tensor, const model::ParamInfo& info, ComputeType type,
                   const kernels::Kernels& kernels, ThreadPool& pool);

/// Folds every batch norm of the model into the convolution before it.
void fold_batch_norms(model::ClipParams<weights::Tensor>& tensors);

/// conv and batch norm as one convolution with bias: weight * gain / sqrt(var + eps), and
/// bias - mean * gain / sqrt(var + eps).
void fold_batch_norm(model::ConvNorm<weights::Tensor>& conv);

}  // namespace clipnext::infer

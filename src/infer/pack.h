// A model's parameters in the layout the kernels read, made once at load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "infer/workspace.h"
#include "kernels/kernels.h"
#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::infer {

/// One parameter. Matrices (linear layers and convolutions): packed panels of `n` outputs over `k`
/// inputs, a convolution's inputs in the order (ky, kx, channel) of an NHWC patch. Depthwise
/// weights: [49, c]. Vectors: as they are. Embedding tables stay where they lie, in `table`.
struct Weight {
  Buffer values;
  int64_t n = 0;
  int64_t k = 0;
  weights::Tensor table;

  const float* data() const { return values.data(); }
};

using Params = model::ClipParams<Weight>;

/// Packs every parameter for `kernels`, in parallel; batch norms are folded into the convolutions
/// before them, in double, and their own leaves left empty.
Params pack(const model::ClipConfig& config, model::ClipParams<weights::Tensor> tensors,
            const kernels::Kernels& kernels, ThreadPool& pool);

/// All that `weight`, packed from the parameter `info`, holds.
std::span<const std::byte> packed_bytes(const Weight& weight, const model::ParamInfo& info,
                                        const kernels::Kernels& kernels);

/// conv and batch norm as one convolution with bias: weight * gain / sqrt(var + eps), and
/// bias - mean * gain / sqrt(var + eps).
void fold_batch_norm(model::ConvNorm<weights::Tensor>& conv);

}  // namespace clipnext::infer

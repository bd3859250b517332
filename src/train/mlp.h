// The MLP branch of a block and its residual sum, with gradients.
#pragma once

#include <ATen/ATen.h>

namespace clipnext::train {

struct Mlp {
  at::Tensor fc1_weight, fc1_bias;  // [hidden, c], [hidden]
  at::Tensor fc2_weight, fc2_bias;  // [c, hidden], [c]
  at::Tensor gamma;                 // [c], or undefined: 1
};

/// x + keep * gamma * fc2(gelu(fc1(h))); x, h [..., c] float32 on the CPU, keep (drop path's mask,
/// not differentiated) [n, 1, ...] for x [n, ...] with one value besides 0, or undefined. Computed
/// by our own kernels: only fc1's results are kept for the backward pass, and what drop path drops
/// is not computed. The same bits whatever the number of threads, but for the weights' gradients.
at::Tensor add_mlp(const at::Tensor& x, const at::Tensor& h, const Mlp& mlp,
                   const at::Tensor& keep);

}  // namespace clipnext::train

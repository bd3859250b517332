// The ConvNeXt block's depthwise convolution, with gradients.
#pragma once

#include <ATen/ATen.h>

namespace clipnext::train {

/// Whether our own kernels compute with x and a weight: float32 on the CPU, without autocast.
bool uses_kernels(const at::Tensor& x, const at::Tensor& weight);

/// Depthwise 7x7, stride 1, zero padding 3, of maps x [n, h, w, c]; weight [c, 1, 7, 7], bias [c].
/// By our own kernels where uses_kernels, else as PyTorch does it. The same bits whatever the
/// number of threads.
at::Tensor depthwise_conv7(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace clipnext::train

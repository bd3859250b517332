// Layers that several towers share.
#pragma once

#include <ATen/ATen.h>

#include <string>

#include "model/params.h"
#include "train/mode.h"

namespace clipnext::train {

/// open_clip's LayerNorm over the last dimension: computed in the parameters' type, returned in
/// x's.
at::Tensor layer_norm(const at::Tensor& x, const model::Norm<at::Tensor>& norm, double eps);

/// Convolution of maps x [n, h, w, c] without groups; weight [out, c, k, k], bias [out] or
/// undefined; returns [n, h', w', out].
at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    int64_t stride, int64_t padding);

/// Exact GELU, or x sigmoid(1.702 x) as open_clip writes it.
at::Tensor activate(const at::Tensor& x, model::Activation activation);

/// Rows `index` (i64 [m], none twice) of x [rows, ...].
at::Tensor select_rows(const at::Tensor& x, const at::Tensor& index);
/// The reverse: x [m, ...] as rows `index` of a tensor of `rows` that is otherwise zero.
at::Tensor spread_rows(const at::Tensor& x, const at::Tensor& index, int64_t rows);

/// Shows x if mode.trace wants it.
void show(const Mode& mode, const std::string& name, const at::Tensor& x);

}  // namespace clipnext::train

// ConvNeXt, timm's trunk and open_clip's adapter head, with gradients.
#pragma once

#include <ATen/ATen.h>

#include "model/params.h"
#include "train/mode.h"

namespace clipnext::train {

/// Features [n, embed_dim], not normalised, of pixels [n, h, w, 3], any size from 32 x 32 up.
at::Tensor encode_convnext(const model::ConvNextConfig& config,
                           const model::ConvNextParams<at::Tensor>& params,
                           const at::Tensor& pixels, const Mode& mode);

/// One block of maps x [n, h, w, c]; `keep` [n, 1, 1, 1] is drop path's mask or undefined.
at::Tensor convnext_block(const at::Tensor& x, const model::ConvNextBlock<at::Tensor>& p,
                          double eps, const at::Tensor& keep);

}  // namespace clipnext::train

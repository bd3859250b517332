// OpenAI's ModifiedResNet, with gradients.
#pragma once

#include <ATen/ATen.h>

#include "model/params.h"
#include "train/mode.h"

namespace clipnext::train {

/// Features [n, embed_dim], not normalised, of pixels [n, h, w, 3]. In training batch norms use the
/// batch's statistics and move the running ones in place (momentum 0.1). There is no gradient
/// checkpointing, as in open_clip.
at::Tensor encode_resnet(const model::ResNetConfig& config,
                         const model::ResNetParams<at::Tensor>& params, const at::Tensor& pixels,
                         const Mode& mode);

}  // namespace clipnext::train

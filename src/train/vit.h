// open_clip's vision transformer, with gradients.
#pragma once

#include <ATen/ATen.h>

#include "model/params.h"
#include "train/mode.h"

namespace clipnext::train {

/// Features [n, embed_dim], not normalised, of pixels [n, h, w, 3], of the config's size and in the
/// type of conv1 (any under autocast).
at::Tensor encode_vit(const model::VitConfig& config, const model::VitParams<at::Tensor>& params,
                      const at::Tensor& pixels, const Mode& mode);

}  // namespace clipnext::train

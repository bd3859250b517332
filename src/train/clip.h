// A CLIP model's two towers and what the loss takes from them, with gradients.
#pragma once

#include <ATen/ATen.h>

#include "model/config.h"
#include "model/embedder.h"
#include "train/mode.h"
#include "train/params.h"

namespace clipnext::train {

/// Features [n, embed_dim], not normalised, of normalised pixels [n, h, w, 3] on the parameters'
/// device. The gradient goes to the parameters; casts under mode.autocast are made inside. Throws
/// Error for a size that the tower cannot take.
at::Tensor encode_image(const Params& params, const model::ClipConfig& config,
                        const at::Tensor& pixels, const Mode& mode);

/// Features [rows, embed_dim], not normalised, of ragged token rows.
at::Tensor encode_text(const Params& params, const model::ClipConfig& config,
                       const model::TokenRows& tokens, const Mode& mode);

/// x / max(|x|, 1e-12) per row, the norm in float32 under autocast on a GPU, as
/// torch.nn.functional.normalize does; call it under the same autocast as the towers.
at::Tensor normalise(const at::Tensor& features);

/// Both towers' features of pairs, unit length, in the type that autocast or the parameters give.
struct UnitFeatures {
  at::Tensor image, text;  // [n, embed_dim]
};
UnitFeatures unit_features(const Params& params, const model::ClipConfig& config,
                           const at::Tensor& pixels, const model::TokenRows& tokens,
                           const Mode& mode);

/// The device of a model's parameters.
at::Device device_of(const Params& params);

}  // namespace clipnext::train

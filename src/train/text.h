// open_clip's text transformer, with gradients, over the used positions only.
#pragma once

#include <ATen/ATen.h>

#include "model/embedder.h"
#include "model/params.h"
#include "train/mode.h"

namespace clipnext::train {

/// Features [rows, embed_dim], not normalised, of each row's last position. Positions behind it,
/// which the causal mask hides from it, are not computed. Throws Error for a row that is longer
/// than the context or holds an id outside the vocabulary.
at::Tensor encode_text(const model::TextConfig& config, const model::TextParams<at::Tensor>& params,
                       const model::TokenRows& tokens, const Mode& mode);

}  // namespace clipnext::train

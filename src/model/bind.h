// Which tensor of a checkpoint is which parameter of a model.
#pragma once

#include <string>

#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::model {

/// The checkpoint's tensors in the config's tree, sharing its bytes in its own float type.
/// (Not plain `bind`: for a std::map argument that would find std::bind.)
/// Accepts both layouts of the text tower (with and without `text.`), logit_scale as [] or [1], a
/// missing logit_bias (zero), and positional embeddings of other lengths, which it resizes as
/// open_clip does. Throws one Error that begins with `source` and lists every tensor that is
/// missing, unexpected, or of the wrong shape or type; buffers that carry nothing (attn_mask,
/// num_batches_tracked, input_resolution, ...) are passed over.
ClipParams<weights::Tensor> bind_tensors(const ClipConfig& config,
                                         const weights::TensorMap& tensors,
                                         const std::string& source);

}  // namespace clipnext::model

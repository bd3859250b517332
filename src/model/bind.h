// Which tensor of a checkpoint is which parameter of a model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::model {

/// Buffers and scalars that some writers keep and no tower needs (attn_mask, input_resolution,
/// ...), by their plain-layout name, without `text.`.
bool is_ignorable(std::string_view name);

/// The checkpoint's tensors in the config's tree, sharing its bytes in its own float type.
/// (Not plain `bind`: for a std::map argument that would find std::bind.)
/// Accepts both layouts of the text tower (with and without `text.`), logit_scale as [] or [1], a
/// missing logit_bias (zero), and positional embeddings of other lengths, which it resizes as
/// open_clip does. Throws one Error that begins with `source` and lists every tensor that is
/// missing, unexpected, or of the wrong shape or type; ignorable ones are passed over.
ClipParams<weights::Tensor> bind_tensors(const ClipConfig& config,
                                         const weights::TensorMap& tensors,
                                         const std::string& source);

/// What fits of a checkpoint of another model, as bind_tensors would have it. A tensor that is
/// missing or does not fit is left without data, and `misfits` says so, one text for each; those
/// that the config has no place for are passed over.
ClipParams<weights::Tensor> bind_fitting(const ClipConfig& config,
                                         const weights::TensorMap& tensors,
                                         std::vector<std::string>& misfits);

/// timm's checkpoint of a ConvNeXt as the trunk of such a model, strict as bind_tensors; all else
/// is left without data. The classifier counts only where the trunk's own is the projection, and is
/// as wide.
ClipParams<weights::Tensor> bind_trunk(const ClipConfig& config, const weights::TensorMap& tensors,
                                       const std::string& source);

}  // namespace clipnext::model

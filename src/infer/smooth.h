// Moving the scale of outlier channels from activations into weights, where 8 bits bear it better:
// SmoothQuant (Xiao et al., arXiv:2211.10438), with powers of two, so that in fp32 every result
// stays the same bit for bit.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "infer/clip.h"
#include "infer/compute_type.h"
#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::infer {

/// The largest size of each channel that a layer norm gives, by the norm's name.
using ChannelSizes = std::map<std::string, std::vector<float>, std::less<>>;

/// The norms whose results smooth may scale.
std::set<std::string> norm_names(const model::ClipConfig& config);

/// Adds those of the norms whose results a trace of these inputs shows.
void add_channels(Clip& clip, const model::PixelBatch& images, ChannelSizes& sizes);
void add_channels(Clip& clip, std::span<const int32_t> text, ChannelSizes& sizes);

/// Divides each channel j of a norm's gain and bias by 2^round(log2(sizes[j] / w[j]) / 2), w[j] the
/// largest weight that the matrix behind it has for that channel, and multiplies those weights by
/// the same; relative to the median channel, which stays. Only where `types` has the matrix in 8
/// bits.
void smooth(const model::ClipConfig& config, const ChannelSizes& sizes, const LayerTypes& types,
            model::ClipParams<weights::Tensor>& tensors);

}  // namespace clipnext::infer

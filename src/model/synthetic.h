// Weights and pictures by rule, so that a model can be run, timed and compared with stored outputs
// without a file of weights: a value is a function of its tensor's name and its index.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "model/config.h"
#include "weights/tensor.h"

namespace clipnext::model {

/// FNV-1a, 64 bits: the seed of a tensor's values.
uint64_t hash_name(std::string_view name);

/// The float32 tensor of that name: uniform around a centre, with a spread that keeps the variance
/// of activations about 1 from layer to layer.
weights::Tensor synthetic_tensor(const std::string& name, const weights::Shape& shape,
                                 ThreadPool& pool);

/// Every tensor of a model, by its name in open_clip checkpoints.
weights::TensorMap synthetic_weights(const ClipConfig& config, ThreadPool& pool);

/// RGB8 pixels [h, w, 3]; `shift` makes others of the kind.
std::vector<uint8_t> synthetic_picture(int64_t h, int64_t w, int64_t shift = 0);

}  // namespace clipnext::model

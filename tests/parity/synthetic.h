// Deterministic weights and pictures by rule, so that a whole model can be compared with stored
// outputs without storing it: the values are a function of a tensor's name and an element's index.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::testing {

/// FNV-1a, 64 bits.
inline uint64_t hash_name(std::string_view name) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return hash;
}

/// Element i of the stream of `seed` (splitmix64), uniform in [0, 1) on a grid of 2^-24.
inline double uniform(uint64_t seed, uint64_t i) {
  uint64_t x = seed + (i + 1) * 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  x ^= x >> 31;
  return static_cast<double>(x >> 40) / 16777216.0;
}

/// Values lie in [centre - spread, centre + spread).
struct Range {
  double centre, spread;
};

inline Range range_of(std::string_view name, const weights::Shape& shape) {
  double numel = 1;
  for (const int64_t side : shape) numel *= static_cast<double>(side);
  if (name == "logit_scale") return {4.5, 0};
  if (name.ends_with("running_var")) return {1, 0.25};
  if (name.ends_with("running_mean")) return {0, 0.1};
  if (name.ends_with("gamma")) return {0.5, 0.25};
  if (name.ends_with("positional_embedding") || name.ends_with("class_embedding")) return {0, 0.1};
  if (name.ends_with("token_embedding.weight")) return {0, 0.5};
  if (shape.size() == 1) return name.ends_with("bias") ? Range{0, 0.1} : Range{1, 0.25};
  if (shape.empty()) return {0, 0.1};
  const auto rows = static_cast<double>(shape[0]);
  if (name.ends_with("text_projection") || name.ends_with("visual.proj")) {
    return {0, std::sqrt(3.0 / rows)};
  }
  return {0, std::sqrt(3.0 * rows / numel)};
}

inline weights::Tensor synthetic_tensor(const std::string& name, const weights::Shape& shape,
                                        ThreadPool& pool) {
  const Range range = range_of(name, shape);
  size_t numel = 1;
  for (const int64_t side : shape) numel *= static_cast<size_t>(side);
  auto [tensor, bytes] = weights::allocate_tensor(weights::DType::kF32, shape);
  auto* const values = reinterpret_cast<float*>(bytes.data());
  const uint64_t seed = hash_name(name);
  constexpr size_t kChunk = 65536;
  pool.parallel_for(static_cast<int64_t>((numel + kChunk - 1) / kChunk), [=](int64_t chunk) {
    const size_t begin = static_cast<size_t>(chunk) * kChunk;
    for (size_t i = begin; i < std::min(numel, begin + kChunk); ++i) {
      values[i] = static_cast<float>(range.centre + range.spread * (2 * uniform(seed, i) - 1));
    }
  });
  return tensor;
}

/// Every tensor of a model.
inline weights::TensorMap synthetic_weights(const model::ClipConfig& config, ThreadPool& pool) {
  weights::TensorMap tensors;
  for (const auto& info : model::list_params(config)) {
    tensors.emplace(info.name, synthetic_tensor(info.name, info.shape, pool));
  }
  return tensors;
}

/// RGB8 pixels [h, w, 3]; `shift` makes others of the kind.
inline std::vector<uint8_t> synthetic_picture(int64_t h, int64_t w, int64_t shift = 0) {
  std::vector<uint8_t> pixels;
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t value = 37 * c + 17 * y + 29 * x + (x * y) % 251 + 41 * shift;
        pixels.push_back(static_cast<uint8_t>(value % 256));
      }
    }
  }
  return pixels;
}

/// "a photo of a cat" and "hello world!" as CLIP's tokenizer gives them, without padding.
inline const std::vector<std::vector<int32_t>>& sample_texts() {
  static const std::vector<std::vector<int32_t>> texts = {{49406, 320, 1125, 539, 320, 2368, 49407},
                                                          {49406, 3306, 1002, 256, 49407}};
  return texts;
}

/// Sizes of the small towers that stored outputs exist for: tiny_convnext_mlp,
/// tiny_convnext_linear, tiny_convnext_xx_linear, tiny_vit, tiny_vit_quickgelu, tiny_rn.
inline model::ClipConfig tiny_config(const std::string& name) {
  model::ClipConfig config;
  config.name = name;
  config.embed_dim = 24;
  config.image_height = config.image_width = 64;
  config.preprocess.height = config.preprocess.width = 64;
  config.text = {.width = 32, .heads = 4, .layers = 2, .mlp_width = 128};
  if (name.starts_with("tiny_convnext")) {
    model::ConvNextConfig vision;
    vision.depths = {1, 1, 2, 1};
    vision.dims = {8, 16, 24, 32};
    if (name.ends_with("mlp")) vision.head = model::HeadType::kMlp;
    if (name.find("xx") != std::string::npos) vision.eps = 1e-5f;
    config.vision = vision;
  } else if (name.starts_with("tiny_vit")) {
    model::VitConfig vision{.layers = 2, .width = 64, .heads = 4, .mlp_width = 256, .patch = 16};
    if (name.ends_with("quickgelu")) {
      vision.activation = config.text.activation = model::Activation::kQuickGelu;
    }
    config.vision = vision;
  } else {
    config.vision = model::ResNetConfig{.layers = {1, 2, 1, 1}, .width = 16, .heads = 8};
  }
  return config;
}

}  // namespace clipnext::testing

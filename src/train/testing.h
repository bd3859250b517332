// Small models, their inputs, and ways to compare tensors, for the tests of this folder.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "parity/synthetic.h"
#include "train/clip.h"

namespace clipnext::train::testing {

/// Three pictures of clipnext::model::synthetic_picture, normalised [n, h, w, 3].
inline at::Tensor sample_pixels(const model::ClipConfig& config, int64_t n = 3) {
  std::vector<at::Tensor> pictures;
  for (int64_t i = 0; i < n; ++i) {
    auto bytes = model::synthetic_picture(config.image_height, config.image_width, i);
    pictures.push_back(
        at::from_blob(bytes.data(), {config.image_height, config.image_width, 3}, at::kByte)
            .to(at::kFloat));
  }
  const auto& p = config.preprocess;
  return (at::stack(pictures) / 255 - at::tensor(at::ArrayRef<float>(p.mean.data(), 3))) /
         at::tensor(at::ArrayRef<float>(p.std.data(), 3));
}

inline constexpr int64_t kSmallVocabulary = 64;

/// Three texts of a vocabulary of 64 and a context of 8, padded; of lengths 5, 3 and 8.
inline const std::vector<std::vector<int32_t>>& small_texts() {
  static const std::vector<std::vector<int32_t>> texts = {
      {62, 5, 17, 33, 63, 0, 0, 0}, {62, 9, 63, 0, 0, 0, 0, 0}, {62, 1, 2, 3, 4, 5, 6, 63}};
  return texts;
}

inline model::TokenRows small_tokens() {
  model::TokenRows tokens;
  for (const auto& text : small_texts()) tokens.add(text);
  return tokens;
}

/// The models of tools/make_train_fixtures.py, and "vit_quickgelu".
inline model::ClipConfig small_config(const std::string& name) {
  model::ClipConfig config = clipnext::testing::tiny_config("tiny_convnext_mlp");
  config.name = name;
  config.text = {.context_length = 8,
                 .vocab_size = kSmallVocabulary,
                 .width = 32,
                 .heads = 4,
                 .layers = 2,
                 .mlp_width = 128};
  auto vision = std::get<model::ConvNextConfig>(config.vision);
  if (name == "tiered_linear") {
    vision.stem = model::StemType::kOverlapTiered;
    vision.dims[0] = 16;
    vision.stem_width = 8;
    vision.conv_mlp = true;
    vision.head = model::HeadType::kLinear;
    vision.head_bias = true;
  } else if (name == "overlap_none") {
    vision.stem = model::StemType::kOverlap;
    vision.stem_width = vision.dims[0];
    vision.conv_mlp = true;
    vision.head_norm_first = true;
    vision.head = model::HeadType::kNone;
    config.embed_dim = vision.dims[3];
  } else if (name == "pre_logits_linear") {
    vision.pre_logits = vision.dims[3];
    vision.head = model::HeadType::kLinear;
  }
  config.vision = vision;
  if (name.starts_with("vit")) {
    config.vision = model::VitConfig{
        .layers = 2, .width = 32, .heads = 2, .mlp_width = 128, .patch = 16, .layer_scale = true};
    if (name == "vit_quickgelu") {
      std::get<model::VitConfig>(config.vision).activation = config.text.activation =
          model::Activation::kQuickGelu;
    }
  }
  if (name == "resnet") {
    config.vision = model::ResNetConfig{.layers = {1, 2, 1, 1}, .width = 8, .heads = 4};
  }
  return config;
}

inline const std::vector<std::string>& small_models() {
  static const std::vector<std::string> names = {
      "patch_mlp", "tiered_linear", "overlap_none", "pre_logits_linear", "vit", "resnet"};
  return names;
}

/// A ConvNeXt whose blocks are dropped at random.
inline model::ClipConfig dropping(double drop_path, double drop) {
  auto config = small_config("patch_mlp");
  auto& vision = std::get<model::ConvNextConfig>(config.vision);
  vision.drop_path = static_cast<float>(drop_path);
  vision.drop = static_cast<float>(drop);
  return config;
}

/// The model with weights by rule.
inline Params synthetic_params(const model::ClipConfig& config, at::Device device = at::kCPU) {
  ThreadPool pool(1);
  return from_tensors(config, model::synthetic_weights(config, pool), config.name, device);
}

/// By the same rule as weights.
inline at::Tensor synthetic(const std::string& name, const weights::Shape& shape) {
  ThreadPool pool(1);
  const auto values = weights::to_f32(model::synthetic_tensor(name, shape, pool));
  return at::tensor(values).view(shape);
}

/// Sum of features times fixed numbers: its gradient reaches all of both towers.
inline at::Tensor probe_loss(const at::Tensor& image, const at::Tensor& text) {
  const auto probed = [](const at::Tensor& features, const std::string& name) {
    return (features * synthetic(name, features.sizes().vec()).to(features.device())).sum();
  };
  return probed(image, "image_cotangent") + probed(text, "text_cotangent");
}

/// |a - b| / |b|, wherever they lie.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.detach().to(at::kCPU, at::kDouble);
  const at::Tensor y = b.detach().to(at::kCPU, at::kDouble);
  return (x - y).norm().item<double>() / std::max(1e-300, y.norm().item<double>());
}

/// The gradients of probe_loss by name, the model's own cleared.
struct Gradients {
  std::vector<std::string> names;
  std::vector<at::Tensor> values;
};

inline Gradients gradients_of(Params& params, const model::ClipConfig& config, const Mode& mode,
                              const model::TokenRows& tokens) {
  const at::Tensor pixels = sample_pixels(config).to(params.logit_scale.device());
  const at::Tensor loss = probe_loss(encode_image(params, config, pixels, mode).to(at::kFloat),
                                     encode_text(params, config, tokens, mode).to(at::kFloat));
  Gradients found;
  std::vector<at::Tensor> leaves;
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    if (!leaf.requires_grad() || info.role == model::Role::kLogitScale) return;
    found.names.push_back(info.name);
    leaves.push_back(leaf);
  });
  found.values = torch::autograd::grad({loss}, leaves);
  return found;
}

}  // namespace clipnext::train::testing

// What tests of whole models share: the models by rule of model/synthetic.h, small configurations
// of them, and texts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/synthetic.h"

namespace clipnext::testing {

using model::hash_name;
using model::synthetic_picture;
using model::synthetic_tensor;
using model::synthetic_weights;

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

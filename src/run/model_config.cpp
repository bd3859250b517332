#include "run/model_config.h"

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "model/source.h"
#include "run/recipes.h"

namespace clipnext::run {
namespace {

constexpr double kSiglipScale = 2.302585092994046;  // ln 10
constexpr double kSiglipBias = -10;

model::ClipConfig named_config(const std::string& name) {
  if (const auto json = recipe_model(name)) {
    return model::parse_model_config(Json::parse(*json), name, "recipe model " + name);
  }
  return model::open_config(name);
}

void set_size(const std::vector<int64_t>& size, model::ClipConfig& config) {
  if (size.empty()) return;
  require(size.size() <= 2, "--force-image-size takes one number, or height and width");
  config.image_height = size.front();
  config.image_width = size.back();
  config.preprocess.height = static_cast<int>(size.front());
  config.preprocess.width = static_cast<int>(size.back());
}

void set_triple(const std::vector<double>& given, const char* option, std::array<float, 3>& values) {
  if (given.empty()) return;
  require(given.size() == 1 || given.size() == 3, option, " takes one number or three");
  for (size_t i = 0; i < 3; ++i) values[i] = static_cast<float>(given[given.size() == 1 ? 0 : i]);
}

void set_preprocess(const TrainOptions& options, image::PreprocessConfig& preprocess) {
  set_triple(options.image_mean, "--image-mean", preprocess.mean);
  set_triple(options.image_std, "--image-std", preprocess.std);
  if (options.image_interpolation == "bilinear") preprocess.interpolation = image::Filter::kBilinear;
  if (options.image_interpolation == "bicubic") preprocess.interpolation = image::Filter::kBicubic;
  if (options.image_resize_mode == "longest") preprocess.resize_mode = image::ResizeMode::kLongest;
  if (options.image_resize_mode == "squash") preprocess.resize_mode = image::ResizeMode::kSquash;
  if (options.image_resize_mode == "shortest") {
    preprocess.resize_mode = image::ResizeMode::kShortest;
  }
}

void set_dropouts(const TrainOptions& options, model::ClipConfig& config) {
  auto* convnext = std::get_if<model::ConvNextConfig>(&config.vision);
  auto* vit = std::get_if<model::VitConfig>(&config.vision);
  if (options.force_drop_path) {
    require(convnext != nullptr, "--force-drop-path: only a ConvNeXt has drop path");
    convnext->drop_path = static_cast<float>(*options.force_drop_path);
  }
  if (options.force_dropout) {
    require(convnext != nullptr, "--force-dropout: only a ConvNeXt's head has dropout");
    convnext->drop = static_cast<float>(*options.force_dropout);
  }
  if (options.force_patch_dropout && *options.force_patch_dropout > 0) {
    require(vit != nullptr, "--force-patch-dropout: only a ViT has patches to drop");
    vit->patch_dropout = static_cast<float>(*options.force_patch_dropout);
  }
}

}  // namespace

model::ClipConfig training_config(const TrainOptions& options) {
  model::ClipConfig config = named_config(options.model);
  set_size(options.force_image_size, config);
  set_preprocess(options, config.preprocess);
  set_dropouts(options, config);
  if (options.force_context_length) config.text.context_length = *options.force_context_length;
  if (options.force_quick_gelu) {
    config.text.activation = model::Activation::kQuickGelu;
    if (auto* vit = std::get_if<model::VitConfig>(&config.vision)) {
      vit->activation = model::Activation::kQuickGelu;
    }
  }
  if (options.force_custom_text) config.custom_text = true;
  if (options.siglip) {
    config.has_logit_bias = true;
    config.init_logit_scale = kSiglipScale;
    config.init_logit_bias = kSiglipBias;
  }
  return config;
}

}  // namespace clipnext::run

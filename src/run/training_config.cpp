#include "run/training_config.h"

#include <array>
#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "model/source.h"
#include "run/parse_options.h"
#include "run/recipes.h"

namespace clipnext::run {
namespace {

using model::ClipConfig;

ClipConfig base_config(const std::string& name) {
  if (const auto json = recipe_model(name)) {
    const std::string source = "configs/recipes/models/" + name + ".json";
    return model::parse_model_config(parse_json(*json, source), name, source);
  }
  return model::open_config(name);
}

[[noreturn]] void no_place(const char* option, const ClipConfig& config, const char* needs) {
  throw UsageError(std::string("--") + option + " is for " + needs + ", and " + config.name +
                   " has none");
}

void set_channels(const std::vector<double>& values, std::array<float, 3>& channels) {
  for (size_t i = 0; i < values.size(); ++i) channels.at(i) = static_cast<float>(values[i]);
  if (values.size() == 1) channels.fill(channels[0]);
}

void apply_image_options(const TrainOptions& options, ClipConfig& config) {
  if (!options.force_image_size.empty()) {
    config.image_height = options.force_image_size.front();
    config.image_width = options.force_image_size.back();
    config.preprocess.height = static_cast<int>(config.image_height);
    config.preprocess.width = static_cast<int>(config.image_width);
    if (config.image_height > 8192 || config.image_width > 8192) {
      throw UsageError("--force-image-size: a side of at most 8192 is possible");
    }
  }
  set_channels(options.image_mean, config.preprocess.mean);
  set_channels(options.image_std, config.preprocess.std);
  if (options.image_interpolation) {
    // `random` is of training crops; evaluation then resizes bicubically, as in the reference.
    config.preprocess.interpolation = *options.image_interpolation == "bilinear"
                                          ? image::Filter::kBilinear
                                          : image::Filter::kBicubic;
  }
  if (options.image_resize_mode) {
    config.preprocess.resize_mode =
        *options.image_resize_mode == "longest"  ? image::ResizeMode::kLongest
        : *options.image_resize_mode == "squash" ? image::ResizeMode::kSquash
                                                 : image::ResizeMode::kShortest;
  }
}

void apply_tower_options(const TrainOptions& options, ClipConfig& config) {
  auto* vit = std::get_if<model::VitConfig>(&config.vision);
  auto* convnext = std::get_if<model::ConvNextConfig>(&config.vision);
  if (options.force_quick_gelu) {
    // timm's towers keep their GELU: for a ConvNeXt this changes the text tower alone.
    config.text.activation = model::Activation::kQuickGelu;
    if (vit != nullptr) vit->activation = model::Activation::kQuickGelu;
  }
  if (options.force_patch_dropout.value_or(0) > 0) {
    if (vit == nullptr) no_place("force-patch-dropout", config, "the patches of a ViT");
    if (*options.force_patch_dropout >= 1) throw UsageError("--force-patch-dropout is below 1");
  }
  if (options.force_patch_dropout && vit != nullptr) {
    vit->patch_dropout = static_cast<float>(*options.force_patch_dropout);
  }
  if (options.force_drop_path) {
    if (convnext == nullptr) no_place("force-drop-path", config, "a ConvNeXt's blocks");
    convnext->drop_path = static_cast<float>(*options.force_drop_path);
  }
  if (options.force_dropout) {
    if (convnext == nullptr) no_place("force-dropout", config, "a ConvNeXt's projection");
    convnext->drop = static_cast<float>(*options.force_dropout);
  }
}

}  // namespace

ClipConfig training_config(const TrainOptions& options) {
  ClipConfig config = base_config(options.model);
  if (options.siglip) {
    config.has_logit_bias = true;
    config.init_logit_scale = std::log(10.0);
    config.init_logit_bias = -10;
  }
  if (options.force_context_length) config.text.context_length = *options.force_context_length;
  if (options.force_custom_text) config.custom_text = true;
  apply_image_options(options, config);
  apply_tower_options(options, config);
  return config;
}

}  // namespace clipnext::run

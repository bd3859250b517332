#include "run/model_file.h"

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/python_json.h"
#include "model/config.h"
#include "model/source.h"
#include "run/recipes.h"
#include "run/training_config.h"

namespace clipnext::run {
namespace {

/// What --model stands for: a configuration, or an object that holds one as model_cfg.
OrderedJson named_json(const model::ModelSource& source) {
  const auto parse = [](std::string_view text) { return OrderedJson::parse(text); };
  if (source.kind == model::SourceKind::kConfigName) {
    if (const auto text = recipe_model(source.name)) return parse(*text);
    return parse(model::builtin_config_json(source.name));
  }
  std::filesystem::path path = source.name;
  if (source.kind == model::SourceKind::kFolder) path /= model::kConfigFile;
  return parse(read_file(path));
}

void set_model(const TrainOptions& options, OrderedJson& json) {
  const auto& size = options.force_image_size;
  if (size.size() == 1) json["vision_cfg"]["image_size"] = size[0];
  if (size.size() == 2) json["vision_cfg"]["image_size"] = size;
  if (options.force_drop_path) json["vision_cfg"]["timm_drop_path"] = *options.force_drop_path;
  if (options.force_dropout) json["vision_cfg"]["timm_drop"] = *options.force_dropout;
  if (options.force_patch_dropout.value_or(0) > 0) {
    json["vision_cfg"]["patch_dropout"] = *options.force_patch_dropout;
  }
  if (options.force_context_length)
    json["text_cfg"]["context_length"] = *options.force_context_length;
  if (options.force_quick_gelu) json["quick_gelu"] = true;
  if (options.force_custom_text) json["custom_text"] = true;
}

const char* mode_text(image::ResizeMode mode) {
  return mode == image::ResizeMode::kShortest  ? "shortest"
         : mode == image::ResizeMode::kLongest ? "longest"
                                               : "squash";
}

}  // namespace

OrderedJson model_file(const TrainOptions& options) {
  const model::ClipConfig config = training_config(options);
  OrderedJson named = named_json(model_source(options));
  OrderedJson json = {{"model_cfg", named.contains("model_cfg") ? named["model_cfg"] : named}};
  set_model(options, json["model_cfg"]);
  if (options.siglip) {
    json["model_cfg"]["init_logit_scale"] = config.init_logit_scale;
    json["model_cfg"]["init_logit_bias"] = config.init_logit_bias;
  }
  json["preprocess_cfg"] = preprocess_json(config.preprocess);
  return json;
}

OrderedJson preprocess_json(const image::PreprocessConfig& config) {
  OrderedJson json = OrderedJson::object();
  for (const float mean : config.mean) json["mean"].push_back(shortest_decimal(mean));
  for (const float std : config.std) json["std"].push_back(shortest_decimal(std));
  json["interpolation"] = config.interpolation == image::Filter::kBilinear ? "bilinear" : "bicubic";
  json["resize_mode"] = mode_text(config.resize_mode);
  if (config.fill_color != 0) json["fill_color"] = config.fill_color;
  return json;
}

}  // namespace clipnext::run

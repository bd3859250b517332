#include "run/training_config.h"

#include <array>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "run/parse_options.h"
#include "run/recipes.h"

namespace clipnext::run {
namespace {

using model::ClipConfig;
using model::SourceKind;

ClipConfig base_config(const model::ModelSource& source) {
  const bool named = source.kind == SourceKind::kConfigName;
  const auto recipe = named ? recipe_model(source.name) : std::nullopt;
  if (!recipe) return model::open_config(source);
  const std::string file = "configs/recipes/models/" + source.name + ".json";
  return model::parse_model_config(parse_json(*recipe, file), source.name, file);
}

/// An option that names a model, and the one that then gives its weights.
struct ModelOption {
  const char* name;
  const char* weights;
};
constexpr ModelOption kStudent{"--model", "--pretrained"};
constexpr ModelOption kTeacher{"--distill-model", "--distill-pretrained"};

// Weights without it do for other commands if they are a packed file.
void require_config_in(const std::string& folder, const ModelOption& option) {
  std::error_code ignored;
  require(std::filesystem::exists(std::filesystem::path(folder) / model::kConfigFile, ignored),
          option.name, " ", folder, ": has no ", model::kConfigFile,
          "; put it there, or name the architecture: ", option.name, " NAME ", option.weights,
          " FILE");
}

model::ModelSource source_of(const std::string& model, const ModelOption& option) {
  if (recipe_model(model)) return {SourceKind::kConfigName, model};
  model::ModelSource source = model::find_source(model);
  switch (source.kind) {
    case SourceKind::kConfigName:
    case SourceKind::kConfigJson:
      return source;
    case SourceKind::kFolder:
      require_config_in(source.name, option);
      return source;
    case SourceKind::kRepository:
      fail(option.name, " ", source.name, ": training takes a folder; `clipnext pull ", source.name,
           " -o FOLDER` fetches it, then ", option.name, " FOLDER");
    case SourceKind::kCheckpoint:
      fail(option.name, " ", source.name,
           ": is no configuration (NAME.json); for the weights of a ", "checkpoint: ", option.name,
           " NAME ", option.weights, " ", source.name);
    case SourceKind::kDemo:
      break;
  }
  fail(option.name, " is empty; it takes the name of a configuration (`clipnext models` lists ",
       "them), a config JSON or a model folder");
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

model::ModelSource model_source(const TrainOptions& options) {
  return source_of(options.model, kStudent);
}

ClipConfig teacher_config(const TrainOptions& options) {
  return base_config(source_of(options.distill_model.value_or(""), kTeacher));
}

ClipConfig training_config(const TrainOptions& options) {
  ClipConfig config = base_config(model_source(options));
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

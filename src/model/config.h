// A model's sizes and options, from open_clip's JSON.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "image/preprocess.h"

namespace clipnext::model {

/// timm's three ConvNeXt stems: 4x4/4 patches, or two 3x3/2 convolutions (tiered: the first of them
/// to half the channels).
enum class StemType : uint8_t { kPatch, kOverlap, kOverlapTiered };
/// open_clip's adapter behind a timm trunk (`timm_proj`): none (identity), linear or MLP.
enum class HeadType : uint8_t { kNone, kLinear, kMlp };
enum class Activation : uint8_t { kGelu, kQuickGelu };

/// timm ConvNeXt v1 trunk + open_clip adapter head.
struct ConvNextConfig {
  std::string timm_name;
  std::array<int64_t, 4> depths{};
  std::array<int64_t, 4> dims{};
  StemType stem = StemType::kPatch;
  int64_t stem_width = 0;        // channels after stem.0 of the overlapping stems
  bool conv_mlp = false;         // fc1, fc2 stored as 1x1 convolutions; same arithmetic
  bool head_norm_first = false;  // LayerNorm over the last map, then pool (convnext_tiny_hnf)
  int64_t pre_logits = 0;  // width of timm's own head.pre_logits MLP (convnext_*_mlp), 0 without
  float eps = 1e-6f;
  HeadType head = HeadType::kLinear;
  bool head_bias = false;  // timm_proj_bias
  bool trunk_head =
      false;               // timm_proj "": the linear head is the trunk's own classifier, with bias
  float drop = 0.0f;       // timm_drop: training only
  float drop_path = 0.0f;  // timm_drop_path: training only
  float layer_scale_init = 1e-6f;  // training only
};

/// open_clip's own VisionTransformer.
struct VitConfig {
  int64_t layers = 12, width = 768, heads = 12, mlp_width = 3072, patch = 16;
  Activation activation = Activation::kGelu;
  bool layer_scale = false;       // ls_init_value: gammas on both branches of each block
  float layer_scale_init = 0.0f;  // training only
  float patch_dropout = 0.0f;     // training only
};

/// OpenAI's ModifiedResNet with attention pooling.
struct ResNetConfig {
  std::array<int64_t, 4> layers{};
  int64_t width = 64, heads = 32;
};

/// open_clip's text transformer (causal mask, pooled at the end-of-text token).
struct TextConfig {
  int64_t context_length = 77, vocab_size = 49408, width = 512, heads = 8, layers = 12,
          mlp_width = 2048;
  Activation activation = Activation::kGelu;
  bool projection_bias = false;  // proj_bias: text_projection is a Linear
  std::string clean = "lower";   // tokenizer_kwargs.clean
};

struct ClipConfig {
  std::string name;
  int64_t embed_dim = 0;
  int64_t image_height = 224, image_width = 224;  // model input; preprocess holds the same
  std::variant<ConvNextConfig, VitConfig, ResNetConfig> vision;
  TextConfig text;
  bool custom_text = false;  // names under `text.` in its checkpoints
  bool has_logit_bias = false;
  double init_logit_scale = 2.659260036932778;
  double init_logit_bias = 0.0;
  image::PreprocessConfig preprocess;
};

/// From open_clip's model configuration (the object that holds embed_dim, vision_cfg, text_cfg).
/// Unknown fields, and known fields with values outside what this program computes, are one Error
/// that names each. `name` is the config's name, `source` stands in messages.
ClipConfig parse_model_config(const Json& model_cfg, const std::string& name,
                              const std::string& source);

/// Lays `preprocess_cfg` of an open_clip_config.json over config.preprocess (spec: merge order;
/// size is always the model's).
void apply_preprocess_config(const Json& preprocess_cfg, const std::string& source,
                             ClipConfig& config);

/// The timm ConvNeXt names that `timm_model_name` may take.
std::vector<std::string> timm_convnext_names();

/// The configs inside the program (configs/*.json), by name in natural order.
std::vector<std::string> builtin_config_names();
bool is_builtin_config(std::string_view name);
/// The JSON text of one; throws Error that suggests the nearest names.
std::string_view builtin_config_json(std::string_view name);
/// parse_model_config of one; throws as above.
ClipConfig builtin_config(std::string_view name);

}  // namespace clipnext::model

#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>

#include "model/convnext_variants.h"
#include "model/fields.h"

namespace clipnext::model {
namespace {

// Bounds on what a configuration may ask for: above every published model, and low enough that
// nothing computed from a configuration alone overflows or exhausts memory.
constexpr int64_t kMaxWidth = 16384;
constexpr int64_t kMaxLayers = 512;
constexpr int64_t kMaxImageSide = 4096;
constexpr int64_t kMaxTokens = 16385;  // a grid of 128 x 128 and the class token
constexpr int64_t kMaxContext = 4096;
constexpr int64_t kMaxVocabulary = 4'000'000;

// The member if it is an object (or absent); a problem otherwise.
const Json* object_member(Fields& fields, const std::string& key) {
  const Json* value = fields.member(key);
  if (value == nullptr || value->is_object()) return value;
  fields.problem(key, "is " + show(*value) + ", expected an object");
  return nullptr;
}

// image_size: one side, or [height, width].
void read_image_size(Fields& vision, ClipConfig& config) {
  const Json* value = vision.member("image_size");
  if (value != nullptr && value->is_array()) {
    if (const auto sides = vision.integers("image_size", 2, 1, kMaxImageSide)) {
      config.image_height = (*sides)[0];
      config.image_width = (*sides)[1];
    }
    return;
  }
  config.image_height = vision.integer("image_size", 224, 1, kMaxImageSide);
  config.image_width = config.image_height;
}

void require_side(Fields& vision, const ClipConfig& config, int64_t low, const char* why) {
  if (config.image_height >= low && config.image_width >= low) return;
  vision.problem("image_size", "is [" + std::to_string(config.image_height) + ", " +
                                   std::to_string(config.image_width) + "], expected at least " +
                                   std::to_string(low) + " (" + why + ")");
}

// Blocks of open_clip's own transformers in other forms than the plain one.
void refuse_custom_blocks(Fields& fields) {
  fields.only({{"act_kwargs", Json::object()},
               {"norm_kwargs", Json::object()},
               {"block_type", "default"},
               {"qk_norm", false},
               {"scaled_cosine_attn", false},
               {"scale_heads", false},
               {"scale_attn_inner", false},
               {"scale_attn", false},
               {"scale_fc", false}});
}

int64_t mlp_width(Fields& fields, int64_t width) {
  const double hidden = static_cast<double>(width) * fields.number("mlp_ratio", 4.0, 0.01, 64.0);
  return std::max<int64_t>(1, static_cast<int64_t>(hidden));
}

// ---- the three image towers ----

// "linear" and "mlp" are open_clip's adapters; without one the trunk's own classifier projects.
void read_head(Fields& vision, const ClipConfig& clip, ConvNextConfig& config) {
  const size_t pool = vision.choice("timm_pool", {"", "avg"}, 1);
  const size_t proj = vision.has("timm_proj")
                          ? vision.choice("timm_proj", {"linear", "mlp", "none", ""}, 0)
                      : vision.has_null("timm_proj") ? 3
                                                     : 0;
  config.head_bias = vision.boolean("timm_proj_bias", false);
  if (proj == 0) config.head = HeadType::kLinear;
  if (proj == 1) config.head = HeadType::kMlp;
  if (proj < 2) return;  // the adapter needs vectors, so an empty pool means the trunk's own: avg
  if (pool == 0) vision.problem("timm_pool", R"(is "" without a projection, supported: "avg")");
  if (proj == 3) {
    config.head = HeadType::kLinear;
    config.trunk_head = true;
    config.head_bias = true;
    return;
  }
  config.head = HeadType::kNone;
  const int64_t features = config.pre_logits > 0 ? config.pre_logits : config.dims[3];
  if (features != clip.embed_dim) {
    vision.problem("timm_proj", "is \"none\", so embed_dim must be the trunk's " +
                                    std::to_string(features) + ", found " +
                                    std::to_string(clip.embed_dim));
  }
}

ConvNextConfig read_convnext(Fields& vision, Problems& problems, const ClipConfig& clip) {
  ConvNextConfig config;
  config.timm_name = vision.text("timm_model_name", "");
  config.drop = static_cast<float>(vision.number("timm_drop", 0.0, 0.0, 1.0));
  config.drop_path = static_cast<float>(vision.number("timm_drop_path", 0.0, 0.0, 1.0));
  apply_variant(object_member(vision, "timm_model_kwargs"), vision, problems, config);
  read_head(vision, clip, config);
  require_side(vision, clip, 32, "the tower divides it by 32");
  // timm's ConvNeXt takes no such argument; the reference fails on it too.
  vision.only("patch_dropout", 0.0);
  // The name decides all of these.
  vision.ignore({"timm_model_pretrained",
                 "layers",
                 "width",
                 "head_width",
                 "mlp_ratio",
                 "patch_size",
                 "ls_init_value",
                 "attentional_pool",
                 "attn_pooler_queries",
                 "attn_pooler_heads",
                 "no_ln_pre",
                 "pos_embed_type",
                 "final_ln_after_pool",
                 "pool_type",
                 "output_tokens",
                 "act_kwargs",
                 "norm_kwargs",
                 "block_type",
                 "qk_norm",
                 "scaled_cosine_attn",
                 "scale_heads",
                 "scale_attn_inner",
                 "scale_attn",
                 "scale_fc"});
  return config;
}

// Members that only timm towers read.
void ignore_timm(Fields& vision) {
  vision.ignore({"timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj",
                 "timm_proj_bias", "timm_drop", "timm_drop_path", "timm_model_kwargs"});
}

VitConfig read_vit(Fields& vision, const ClipConfig& clip, Activation activation) {
  VitConfig config;
  config.activation = activation;
  config.layers = vision.integer("layers", 12, 1, kMaxLayers);
  config.width = vision.integer("width", 768, 1, kMaxWidth);
  const int64_t head_width = vision.integer("head_width", 64, 1, kMaxWidth);
  config.heads = std::max<int64_t>(1, config.width / head_width);
  if (config.width % config.heads != 0 || config.width < head_width) {
    vision.problem("width", "is " + std::to_string(config.width) + ", which head_width " +
                                std::to_string(head_width) + " does not divide into heads");
  }
  config.mlp_width = mlp_width(vision, config.width);
  config.patch = vision.integer("patch_size", 16, 1, kMaxImageSide);
  config.layer_scale = vision.has("ls_init_value");
  config.layer_scale_init = static_cast<float>(vision.number("ls_init_value", 0.0, 0.0, 1e3));
  config.patch_dropout = static_cast<float>(vision.number("patch_dropout", 0.0, 0.0, 0.999));
  require_side(vision, clip, config.patch, "one patch");
  const int64_t tokens = (clip.image_height / config.patch) * (clip.image_width / config.patch) + 1;
  if (tokens > kMaxTokens) {
    vision.problem("patch_size", "is " + std::to_string(config.patch) + ", which makes " +
                                     std::to_string(tokens) + " tokens, at most " +
                                     std::to_string(kMaxTokens));
  }
  vision.only({{"attentional_pool", false},
               {"no_ln_pre", false},
               {"pos_embed_type", "learnable"},
               {"final_ln_after_pool", false},
               {"pool_type", "tok"}});
  refuse_custom_blocks(vision);
  vision.ignore({"attn_pooler_queries", "attn_pooler_heads", "output_tokens"});
  ignore_timm(vision);
  return config;
}

ResNetConfig read_resnet(Fields& vision, const ClipConfig& clip) {
  ResNetConfig config;
  if (const auto layers = vision.integers("layers", 4, 1, kMaxLayers)) {
    std::copy(layers->begin(), layers->end(), config.layers.begin());
  }
  config.width = vision.integer("width", 64, 2, kMaxWidth / 32);
  const int64_t head_width = vision.integer("head_width", 64, 1, kMaxWidth);
  const int64_t features = config.width * 32;
  config.heads = std::max<int64_t>(1, features / head_width);
  if (config.width % 2 != 0 || features % config.heads != 0) {
    vision.problem("width", "is " + std::to_string(config.width) +
                                ", expected an even number whose 32-fold head_width " +
                                std::to_string(head_width) + " divides into heads");
  }
  require_side(vision, clip, 32, "the tower divides it by 32");
  // The stem rounds up and the position table down; where they differ the reference fails too.
  for (const int64_t side : {clip.image_height, clip.image_width}) {
    if ((side + 1) / 2 / 16 != side / 32) {
      vision.problem("image_size",
                     "is " + std::to_string(side) +
                         ", one below a multiple of 32, which this tower cannot take");
    }
  }
  // Not read by this tower.
  vision.ignore({"mlp_ratio",
                 "patch_size",
                 "ls_init_value",
                 "patch_dropout",
                 "attentional_pool",
                 "attn_pooler_queries",
                 "attn_pooler_heads",
                 "no_ln_pre",
                 "pos_embed_type",
                 "final_ln_after_pool",
                 "pool_type",
                 "output_tokens",
                 "act_kwargs",
                 "norm_kwargs",
                 "block_type",
                 "qk_norm",
                 "scaled_cosine_attn",
                 "scale_heads",
                 "scale_attn_inner",
                 "scale_attn",
                 "scale_fc"});
  ignore_timm(vision);
  return config;
}

void read_vision(Fields& vision, Problems& problems, Activation activation, ClipConfig& config) {
  read_image_size(vision, config);
  const Json* layers = vision.member("layers");
  if (vision.has("timm_model_name")) {
    config.vision = read_convnext(vision, problems, config);
  } else if (layers != nullptr && layers->is_array()) {
    config.vision = read_resnet(vision, config);
  } else {
    config.vision = read_vit(vision, config, activation);
  }
  vision.finish();
}

// ---- the text tower ----

std::string read_clean(Fields& text, Problems& problems) {
  Fields tokenizer(object_member(text, "tokenizer_kwargs"), "text_cfg.tokenizer_kwargs.", problems);
  const std::vector<std::string> modes = {"lower", "whitespace", "whitespace_underscore",
                                          "canonicalize"};
  const size_t mode = tokenizer.choice("clean", modes, 0);
  tokenizer.finish();
  return modes[mode];
}

TextConfig read_text(Fields& text, Problems& problems, Activation activation) {
  TextConfig config;
  config.activation = activation;
  config.context_length = text.integer("context_length", 77, 2, kMaxContext);
  config.vocab_size = text.integer("vocab_size", 49408, 1, kMaxVocabulary);
  config.width = text.integer("width", 512, 1, kMaxWidth);
  config.heads = text.integer("heads", 8, 1, kMaxWidth);
  config.layers = text.integer("layers", 12, 1, kMaxLayers);
  config.mlp_width = mlp_width(text, config.width);
  if (config.width % config.heads != 0) {
    text.problem("heads", "is " + std::to_string(config.heads) + ", which does not divide width " +
                              std::to_string(config.width));
  }
  config.projection_bias = text.boolean("proj_bias", false);
  config.clean = read_clean(text, problems);
  text.only({{"hf_model_name", nullptr},
             {"hf_tokenizer_name", nullptr},
             {"tokenizer_mode", nullptr},
             {"ls_init_value", nullptr},
             {"embed_cls", false},
             {"no_causal_mask", false},
             {"final_ln_after_pool", false},
             {"pool_type", "argmax"},
             {"proj_type", "linear"},
             {"text_arch", "clip"},
             {"variable_text", false}});
  refuse_custom_blocks(text);
  text.ignore({"pad_id", "eos_id", "output_tokens", "hf_model_pretrained", "hf_proj_type",
               "hf_pooler_type"});
  text.finish();
  return config;
}

// Three numbers, or one for all channels.
std::optional<std::array<float, 3>> read_channels(Fields& fields, const std::string& key,
                                                  double low, double high) {
  const Json* value = fields.member(key);
  if (value == nullptr) return std::nullopt;
  std::array<float, 3> out{};
  for (size_t c = 0; c < 3; ++c) {
    const bool list = value->is_array() && value->size() == 3;
    const Json& element = list ? (*value)[c] : *value;
    const double number = element.is_number() ? element.get<double>() : NAN;
    if (!(number >= low && number <= high)) {  // catches NaN too
      std::ostringstream text;
      text << "is " << show(*value) << ", expected three numbers from " << low << " to " << high;
      fields.problem(key, text.str());
      return std::nullopt;
    }
    out[c] = static_cast<float>(number);
  }
  return out;
}

}  // namespace

ClipConfig parse_model_config(const Json& model_cfg, const std::string& name,
                              const std::string& source) {
  Problems problems;
  Fields top(&model_cfg, "", problems);
  ClipConfig config;
  config.name = name;
  for (const char* required : {"embed_dim", "vision_cfg", "text_cfg"}) {
    if (!top.has(required)) top.problem(required, "is missing");
  }
  config.embed_dim = top.integer("embed_dim", 512, 1, kMaxWidth);
  const bool quick = top.boolean("quick_gelu", false);
  const Activation activation = quick ? Activation::kQuickGelu : Activation::kGelu;
  config.custom_text = top.boolean("custom_text", false);
  config.has_logit_bias = top.has("init_logit_bias");
  config.init_logit_bias = top.number("init_logit_bias", 0.0, -1e3, 1e3);
  config.init_logit_scale = top.number("init_logit_scale", config.init_logit_scale, -1e3, 1e3);
  // The shape [1] instead of []: both are read from files.
  top.boolean("nonscalar_logit_scale", false);
  top.only("multimodal_cfg", nullptr);
  top.ignore({"output_dict"});

  Fields vision(object_member(top, "vision_cfg"), "vision_cfg.", problems);
  read_vision(vision, problems, activation, config);
  Fields text(object_member(top, "text_cfg"), "text_cfg.", problems);
  config.text = read_text(text, problems, activation);
  top.finish();
  problems.raise(source);

  config.preprocess.height = static_cast<int>(config.image_height);
  config.preprocess.width = static_cast<int>(config.image_width);
  return config;
}

void apply_preprocess_config(const Json& preprocess_cfg, const std::string& source,
                             ClipConfig& config) {
  Problems problems;
  Fields fields(&preprocess_cfg, "preprocess_cfg.", problems);
  image::PreprocessConfig& preprocess = config.preprocess;
  fields.only("mode", "RGB");
  preprocess.mean = read_channels(fields, "mean", -1e3, 1e3).value_or(preprocess.mean);
  preprocess.std = read_channels(fields, "std", 1e-6, 1e3).value_or(preprocess.std);
  // "random" varies in training only; evaluation is bicubic.
  const size_t filter = fields.choice("interpolation", {"bicubic", "bilinear", "random"}, 3);
  if (filter < 3) {
    preprocess.interpolation = filter == 1 ? image::Filter::kBilinear : image::Filter::kBicubic;
  }
  const size_t mode = fields.choice("resize_mode", {"shortest", "longest", "squash"}, 3);
  constexpr image::ResizeMode kModes[] = {image::ResizeMode::kShortest, image::ResizeMode::kLongest,
                                          image::ResizeMode::kSquash};
  if (mode < 3) preprocess.resize_mode = kModes[mode];
  preprocess.fill_color =
      static_cast<int>(fields.integer("fill_color", preprocess.fill_color, 0, 255));
  // The size is always the model's, and the reference ignores what it does not know here.
  problems.raise(source);
}

}  // namespace clipnext::model

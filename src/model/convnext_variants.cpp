#include "model/convnext_variants.h"

#include <algorithm>

namespace clipnext::model {
namespace {

struct Variant {
  const char* name;
  const char* tag;  // of the weights that timm loads by default
  std::array<int64_t, 4> depths, dims;
  StemType stem = StemType::kPatch;
  bool conv_mlp = false;
  bool head_norm_first = false;
  bool pre_logits = false;
  float eps = 1e-6f;
};

using Sizes = std::array<int64_t, 4>;
constexpr Sizes kSmallDepths = {2, 2, 6, 2}, kNanoDepths = {2, 2, 8, 2};
constexpr Sizes kTinyDepths = {3, 3, 9, 3}, kBaseDepths = {3, 3, 27, 3};
constexpr Sizes kAtto = {40, 80, 160, 320}, kFemto = {48, 96, 192, 384};
constexpr Sizes kPico = {64, 128, 256, 512}, kNano = {80, 160, 320, 640};
constexpr Sizes kTiny = {96, 192, 384, 768}, kBase = {128, 256, 512, 1024};
constexpr Sizes kLarge = {192, 384, 768, 1536}, kXlarge = {256, 512, 1024, 2048};
constexpr Sizes kXxlarge = {384, 768, 1536, 3072};

// timm 1.0.31. "ols" is the overlapping stem, tiered but for nano.
constexpr Variant kVariants[] = {
    {.name = "convnext_atto",
     .tag = "d2_in1k",
     .depths = kSmallDepths,
     .dims = kAtto,
     .conv_mlp = true},
    {.name = "convnext_atto_ols",
     .tag = "a2_in1k",
     .depths = kSmallDepths,
     .dims = kAtto,
     .stem = StemType::kOverlapTiered,
     .conv_mlp = true},
    {.name = "convnext_femto",
     .tag = "d1_in1k",
     .depths = kSmallDepths,
     .dims = kFemto,
     .conv_mlp = true},
    {.name = "convnext_femto_ols",
     .tag = "d1_in1k",
     .depths = kSmallDepths,
     .dims = kFemto,
     .stem = StemType::kOverlapTiered,
     .conv_mlp = true},
    {.name = "convnext_pico",
     .tag = "d1_in1k",
     .depths = kSmallDepths,
     .dims = kPico,
     .conv_mlp = true},
    {.name = "convnext_pico_ols",
     .tag = "d1_in1k",
     .depths = kSmallDepths,
     .dims = kPico,
     .stem = StemType::kOverlapTiered,
     .conv_mlp = true},
    {.name = "convnext_nano",
     .tag = "in12k_ft_in1k",
     .depths = kNanoDepths,
     .dims = kNano,
     .conv_mlp = true},
    {.name = "convnext_nano_ols",
     .tag = "d1h_in1k",
     .depths = kNanoDepths,
     .dims = kNano,
     .stem = StemType::kOverlap,
     .conv_mlp = true},
    {.name = "convnext_tiny", .tag = "in12k_ft_in1k", .depths = kTinyDepths, .dims = kTiny},
    {.name = "convnext_tiny_hnf",
     .tag = "a2h_in1k",
     .depths = kTinyDepths,
     .dims = kTiny,
     .conv_mlp = true,
     .head_norm_first = true},
    {.name = "convnext_small", .tag = "in12k_ft_in1k", .depths = kBaseDepths, .dims = kTiny},
    {.name = "convnext_base", .tag = "fb_in22k_ft_in1k", .depths = kBaseDepths, .dims = kBase},
    {.name = "convnext_large", .tag = "fb_in22k_ft_in1k", .depths = kBaseDepths, .dims = kLarge},
    {.name = "convnext_large_mlp",
     .tag = "clip_laion2b_soup_ft_in12k_in1k_320",
     .depths = kBaseDepths,
     .dims = kLarge,
     .pre_logits = true},
    {.name = "convnext_xlarge", .tag = "fb_in22k_ft_in1k", .depths = kBaseDepths, .dims = kXlarge},
    {.name = "convnext_xxlarge",
     .tag = "clip_laion2b_soup_ft_in1k",
     .depths = {3, 4, 30, 3},
     .dims = kXxlarge,
     .eps = 1e-5f},
};

// timm's make_divisible(width, 8): to the nearest multiple of 8, up if that loses over a tenth.
int64_t round_to_8(int64_t width) {
  const int64_t rounded = std::max<int64_t>(8, (width + 4) / 8 * 8);
  return rounded * 10 < width * 9 ? rounded + 8 : rounded;
}

int64_t stem_width(const ConvNextConfig& config) {
  switch (config.stem) {
    case StemType::kPatch:
      return 0;
    case StemType::kOverlap:
      return config.dims[0];
    case StemType::kOverlapTiered:
      return round_to_8(config.dims[0] / 2);
  }
  return 0;
}

std::string refusal(const std::string& name) {
  if (name.starts_with("convnextv2")) {
    return ": ConvNeXt V2 (global response norm, no layer scale) is not supported";
  }
  if (name.starts_with("convnext") && name.find("_rms") != std::string::npos) {
    return ": ConvNeXt with RMS norm is not supported";
  }
  std::string names;
  for (const Variant& variant : kVariants) names += std::string(", ") + variant.name;
  return ", supported: " + names.substr(2);
}

std::string base_name(const std::string& name) { return name.substr(0, name.find('.')); }

void copy_sizes(const std::optional<std::vector<int64_t>>& from, Sizes& to) {
  if (from) std::copy(from->begin(), from->end(), to.begin());
}

void apply_kwargs(const Json* object, Problems& problems, ConvNextConfig& config) {
  Fields kwargs(object, "vision_cfg.timm_model_kwargs.", problems);
  copy_sizes(kwargs.integers("depths", 4, 1, 512), config.depths);
  copy_sizes(kwargs.integers("dims", 4, 1, 8192), config.dims);
  config.eps = static_cast<float>(kwargs.number("norm_eps", config.eps, 1e-12, 1.0));
  config.conv_mlp = kwargs.boolean("conv_mlp", config.conv_mlp);
  config.stem = static_cast<StemType>(kwargs.choice(
      "stem_type", {"patch", "overlap", "overlap_tiered"}, static_cast<size_t>(config.stem)));
  config.head_norm_first = kwargs.boolean("head_norm_first", config.head_norm_first);
  config.pre_logits = kwargs.integer("head_hidden_size", config.pre_logits, 1, 8192);
  config.layer_scale_init =
      static_cast<float>(kwargs.number("ls_init_value", config.layer_scale_init, 0.0, 1e3));
  config.drop_path =
      static_cast<float>(kwargs.number("drop_path_rate", config.drop_path, 0.0, 1.0));
  kwargs.only({{"kernel_sizes", 7},
               {"patch_size", 4},
               {"output_stride", 32},
               {"in_chans", 3},
               {"conv_bias", true},
               {"use_grn", false},
               {"act_layer", "gelu"},
               {"norm_layer", "layernorm"}});
  kwargs.ignore({"head_init_scale"});
  // timm reads this null as "no layer scale", not as the default.
  if (kwargs.has_null("ls_init_value")) {
    kwargs.problem("ls_init_value", "is null (no layer scale), supported: a number");
  }
  kwargs.finish();
}

const Variant* find_variant(const std::string& base_name) {
  const auto* found = std::find_if(std::begin(kVariants), std::end(kVariants),
                                   [&](const Variant& v) { return base_name == v.name; });
  return found == std::end(kVariants) ? nullptr : found;
}

}  // namespace

std::vector<std::string> timm_convnext_names() {
  std::vector<std::string> names;
  for (const Variant& variant : kVariants) names.emplace_back(variant.name);
  return names;
}

std::string timm_repository(const ConvNextConfig& config) {
  const std::string& name = config.timm_name;
  const bool tagged = name.find('.') != std::string::npos;
  return "timm/" + name + (tagged ? "" : std::string(".") + find_variant(name)->tag);
}

void apply_variant(const Json* timm_model_kwargs, Fields& vision, Problems& problems,
                   ConvNextConfig& config) {
  // timm appends the tag of pretrained weights after a dot; it does not change the architecture.
  const std::string name = base_name(config.timm_name);
  const Variant* found = find_variant(name);
  if (found == nullptr) {
    vision.problem("timm_model_name", "is " + show(Json(config.timm_name)) + refusal(name));
    found = std::begin(kVariants);
  }
  config.depths = found->depths;
  config.dims = found->dims;
  config.stem = found->stem;
  config.conv_mlp = found->conv_mlp;
  config.head_norm_first = found->head_norm_first;
  config.pre_logits = found->pre_logits ? found->dims[3] : 0;
  config.eps = found->eps;
  apply_kwargs(timm_model_kwargs, problems, config);
  config.stem_width = stem_width(config);
  if (config.head_norm_first && config.pre_logits > 0) {
    vision.problem("timm_model_kwargs", "asks for both head_norm_first and head_hidden_size");
  }
}

}  // namespace clipnext::model

#include "model/config.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/natural_order.h"
#include "hostile/mutate.h"
#include "model/params.h"
#include "model/registry.h"

namespace clipnext::model {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionSuccess;

Json builtin_json(const std::string& name) { return parse_json(builtin_config_json(name), name); }

std::string error_of(const Json& config) {
  try {
    parse_model_config(config, "test", "test.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return AssertionSuccess();
  return AssertionFailure() << "\"" << text << "\" does not contain \"" << part << "\"";
}

// A built-in config with one member replaced: member "vision_cfg/width".
Json with(const std::string& name, const std::string& member, const Json& value) {
  Json config = builtin_json(name);
  config[Json::json_pointer("/" + member)] = value;
  return config;
}

template <class Tower>
Tower tower(const std::string& name) {
  return std::get<Tower>(builtin_config(name).vision);
}

TEST(Config, ReadsTheHeadlineModel) {
  const ClipConfig config = builtin_config("convnext_large_d_320");
  EXPECT_EQ(config.name, "convnext_large_d_320");
  EXPECT_EQ(config.embed_dim, 768);
  EXPECT_EQ(config.image_height, 320);
  EXPECT_EQ(config.image_width, 320);
  EXPECT_EQ(config.preprocess.height, 320);
  EXPECT_EQ(config.preprocess.width, 320);
  const auto vision = std::get<ConvNextConfig>(config.vision);
  EXPECT_EQ(vision.depths, (std::array<int64_t, 4>{3, 3, 27, 3}));
  EXPECT_EQ(vision.dims, (std::array<int64_t, 4>{192, 384, 768, 1536}));
  EXPECT_EQ(vision.stem, StemType::kPatch);
  EXPECT_EQ(vision.head, HeadType::kMlp);
  EXPECT_EQ(vision.eps, 1e-6f);
  EXPECT_EQ(vision.drop_path, 0.1f);
  EXPECT_FALSE(vision.conv_mlp);
  EXPECT_FALSE(vision.head_bias);
  EXPECT_EQ(config.text.layers, 16);
  EXPECT_EQ(config.text.heads, 12);
  EXPECT_EQ(config.text.mlp_width, 3072);
  EXPECT_EQ(config.text.clean, "lower");
  EXPECT_EQ(config.text.activation, Activation::kGelu);
  EXPECT_FALSE(config.has_logit_bias);
}

TEST(Config, ReadsTheOtherTowers) {
  const auto big = tower<VitConfig>("ViT-bigG-14");
  EXPECT_EQ(big.heads, 16);
  EXPECT_EQ(big.mlp_width, 8192);
  EXPECT_EQ(tower<VitConfig>("ViT-g-14").mlp_width, 6144);
  EXPECT_EQ(tower<VitConfig>("ViT-e-14").mlp_width, 15360);
  EXPECT_TRUE(tower<VitConfig>("ViT-M-16-alt").layer_scale);
  EXPECT_EQ(tower<VitConfig>("ViT-L-14-quickgelu").activation, Activation::kQuickGelu);
  EXPECT_EQ(builtin_config("ViT-L-14-quickgelu").text.activation, Activation::kQuickGelu);
  const auto resnet = tower<ResNetConfig>("RN50x16");
  EXPECT_EQ(resnet.layers, (std::array<int64_t, 4>{6, 8, 18, 8}));
  EXPECT_EQ(resnet.width, 96);
  EXPECT_EQ(resnet.heads, 48);
  EXPECT_EQ(tower<ConvNextConfig>("convnext_xxlarge").eps, 1e-5f);
}

TEST(Config, TakesTwoImageSides) {
  const Json json = with("convnext_base", "vision_cfg/image_size", {192, 320});
  const ClipConfig config = parse_model_config(json, "x", "x");
  EXPECT_EQ(config.image_height, 192);
  EXPECT_EQ(config.image_width, 320);
  EXPECT_EQ(config.preprocess.height, 192);
  EXPECT_EQ(config.preprocess.width, 320);
}

TEST(Config, LaysTrunkArgumentsOverTheVariant) {
  const Json json = with("convnext_tiny", "vision_cfg/timm_model_kwargs",
                         {{"depths", {1, 1, 2, 1}},
                          {"dims", {80, 16, 24, 32}},
                          {"norm_eps", 1e-5},
                          {"stem_type", "overlap_tiered"},
                          {"conv_mlp", true},
                          {"head_hidden_size", 48}});
  const auto vision = std::get<ConvNextConfig>(parse_model_config(json, "x", "x").vision);
  EXPECT_EQ(vision.depths, (std::array<int64_t, 4>{1, 1, 2, 1}));
  EXPECT_EQ(vision.stem_width, 40);
  EXPECT_EQ(vision.eps, 1e-5f);
  EXPECT_TRUE(vision.conv_mlp);
  EXPECT_EQ(vision.pre_logits, 48);
}

TEST(Config, NamesEveryProblemAtOnce) {
  Json json = with("ViT-B-32", "vision_cfg/colour", 1);
  json["text_cfg"]["pool_type"] = "last";
  json["text_cfg"]["layers"] = 12.0;
  json["extra"] = true;
  const std::string error = error_of(json);
  EXPECT_TRUE(error.starts_with("test.json: ")) << error;
  EXPECT_TRUE(contains(error, "unknown field \"vision_cfg.colour\""));
  EXPECT_TRUE(contains(error, "unknown field \"extra\""));
  EXPECT_TRUE(contains(error, R"(text_cfg.pool_type is "last", supported: "argmax")"));
  EXPECT_TRUE(contains(error, "text_cfg.layers is 12.0, expected a whole number"));
}

TEST(Config, RefusesWhatItDoesNotCompute) {
  const struct {
    const char* config;
    const char* member;
    Json value;
    const char* message;
  } cases[] = {
      {"ViT-B-32", "vision_cfg/pool_type", "avg", "vision_cfg.pool_type"},
      {"ViT-B-32", "vision_cfg/no_ln_pre", true, "vision_cfg.no_ln_pre is true, supported: false"},
      {"ViT-B-32", "vision_cfg/attentional_pool", true, "vision_cfg.attentional_pool"},
      {"ViT-B-32", "vision_cfg/norm_kwargs", {{"eps", 1e-6}}, "vision_cfg.norm_kwargs"},
      {"ViT-B-32", "vision_cfg/qk_norm", true, "vision_cfg.qk_norm"},
      {"ViT-B-32", "vision_cfg/head_width", 52, "vision_cfg.width is 768"},
      {"ViT-B-32", "vision_cfg/image_size", 16, "vision_cfg.image_size"},
      {"ViT-B-32", "vision_cfg/image_size", 100000, "vision_cfg.image_size"},
      {"ViT-B-32", "vision_cfg/patch_size", 1, "50177 tokens"},
      {"ViT-B-32", "vision_cfg/layers", -1, "vision_cfg.layers is -1"},
      {"ViT-B-32", "vision_cfg", 3, "vision_cfg is 3, expected an object"},
      {"ViT-B-32", "text_cfg/hf_model_name", "roberta-base", "text_cfg.hf_model_name"},
      {"ViT-B-32", "text_cfg/hf_tokenizer_name", "xlm", "text_cfg.hf_tokenizer_name"},
      {"ViT-B-32", "text_cfg/embed_cls", true, "text_cfg.embed_cls"},
      {"ViT-B-32", "text_cfg/no_causal_mask", true, "text_cfg.no_causal_mask"},
      {"ViT-B-32", "text_cfg/ls_init_value", 0.1, "text_cfg.ls_init_value"},
      {"ViT-B-32", "text_cfg/heads", 7, "text_cfg.heads is 7, which does not divide width 512"},
      {"ViT-B-32",
       "text_cfg/tokenizer_kwargs",
       {{"strip_sep_token", true}},
       "unknown field \"text_cfg.tokenizer_kwargs.strip_sep_token\""},
      {"ViT-B-32", "multimodal_cfg", {{"width", 1}}, "multimodal_cfg"},
      {"RN50", "vision_cfg/layers", {3, 4, 6}, "vision_cfg.layers is [3,4,6]"},
      {"RN50", "vision_cfg/image_size", 63, "image_size is 63"},
      {"convnext_base", "vision_cfg/timm_model_name", "convnextv2_base", "ConvNeXt V2"},
      {"convnext_base", "vision_cfg/timm_model_name", "convnext_atto_rms", "RMS norm"},
      {"convnext_base", "vision_cfg/timm_model_name", "vit_base_patch16_224", "convnext_xxlarge"},
      {"convnext_base", "vision_cfg/timm_pool", "abs_attn", "vision_cfg.timm_pool"},
      {"convnext_base", "vision_cfg/timm_proj", "none", "embed_dim must be the trunk's 1024"},
      {"convnext_base", "vision_cfg/timm_proj", "", "timm_pool is \"\" without a projection"},
      {"convnext_base", "vision_cfg/image_size", 31, "expected at least 32"},
      {"convnext_base",
       "vision_cfg/timm_model_kwargs",
       {{"use_grn", true}},
       "vision_cfg.timm_model_kwargs.use_grn is true, supported: false"},
      {"convnext_base",
       "vision_cfg/timm_model_kwargs",
       {{"ls_init_value", nullptr}},
       "timm_model_kwargs.ls_init_value is null"},
      {"convnext_base", "vision_cfg/patch_dropout", 0.5, "vision_cfg.patch_dropout"},
      {"convnext_base", "quick_gelu", "yes", "quick_gelu is \"yes\", expected true or false"},
      {"convnext_base", "embed_dim", 0, "embed_dim is 0, expected a whole number from 1"},
      {"convnext_base", "embed_dim", 18446744073709551615u, "embed_dim is 18446744073709551615"},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(contains(error_of(with(c.config, c.member, c.value)), c.message)) << c.member;
  }
  EXPECT_TRUE(contains(error_of(Json::object()),
                       "embed_dim is missing; vision_cfg is missing; text_cfg is missing"));
  EXPECT_TRUE(contains(error_of(Json::array()), "the configuration is [], expected an object"));
}

TEST(Config, NullStandsForTheDefault) {
  const ClipConfig config =
      parse_model_config(with("ViT-B-32", "vision_cfg/mlp_ratio", nullptr), "x", "x");
  EXPECT_EQ(std::get<VitConfig>(config.vision).mlp_width, 3072);
}

TEST(Config, SuggestsNearNames) {
  try {
    builtin_config("convnext_large_d_230");
    FAIL();
  } catch (const Error& e) {
    EXPECT_TRUE(contains(e.what(), "did you mean convnext_large_d_320"));
  }
  EXPECT_THROW(builtin_config(""), Error);
  EXPECT_THROW(builtin_config(std::string(100000, 'x')), Error);
}

TEST(Config, ListsNamesInNaturalOrder) {
  const auto names = builtin_config_names();
  EXPECT_EQ(names.size(), 53u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end(), natural_less));
  EXPECT_TRUE(is_builtin_config("ViT-bigG-14-quickgelu"));
  EXPECT_FALSE(is_builtin_config("pretrained"));
}

TEST(PreprocessConfig, OverridesWhatItNamesAndNothingElse) {
  ClipConfig config = builtin_config("convnext_base_w_320");
  apply_preprocess_config(Json::parse(R"({"mean": 0.5, "std": [0.1, 0.2, 0.3], "size": 7,
      "interpolation": "bilinear", "resize_mode": null, "something_new": {}})"),
                          "x", config);
  EXPECT_EQ(config.preprocess.mean, (std::array<float, 3>{0.5f, 0.5f, 0.5f}));
  EXPECT_EQ(config.preprocess.std, (std::array<float, 3>{0.1f, 0.2f, 0.3f}));
  EXPECT_EQ(config.preprocess.interpolation, image::Filter::kBilinear);
  EXPECT_EQ(config.preprocess.resize_mode, image::ResizeMode::kShortest);
  EXPECT_EQ(config.preprocess.width, 320);
  apply_preprocess_config(
      Json::parse(R"({"resize_mode": "squash", "interpolation": "random", "fill_color": 3})"), "x",
      config);
  EXPECT_EQ(config.preprocess.resize_mode, image::ResizeMode::kSquash);
  EXPECT_EQ(config.preprocess.interpolation, image::Filter::kBicubic);
  EXPECT_EQ(config.preprocess.fill_color, 3);
  EXPECT_EQ(config.preprocess.mean[0], 0.5f);
}

TEST(PreprocessConfig, RefusesWrongValues) {
  for (const char* text :
       {R"({"mean": [0.5, 0.5]})", R"({"std": 0})", R"({"std": [1, 1, "x"]})", R"({"mode": "L"})",
        R"({"resize_mode": "crop"})", R"({"interpolation": 3})", R"({"fill_color": 300})", "[]"}) {
    ClipConfig config;
    EXPECT_THROW(apply_preprocess_config(Json::parse(text), "x", config), Error) << text;
  }
}

TEST(Registry, KnowsThePublishedWeights) {
  const PretrainedTag* tag = find_pretrained("convnext_large_d_320", "LAION2B-s29b-b131k-ft-soup");
  ASSERT_NE(tag, nullptr);
  EXPECT_EQ(tag->repo, "laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup");
  EXPECT_FALSE(tag->quick_gelu);
  EXPECT_TRUE(tag->preprocess.empty());
  EXPECT_TRUE(find_pretrained("ViT-B-32", "openai")->quick_gelu);
  EXPECT_EQ(find_pretrained("ViT-B-32", "no_such_tag"), nullptr);
  const PretrainedTag* inception = find_pretrained("ViT-L-14", "laion2b_s32b_b82k");
  ASSERT_NE(inception, nullptr);
  EXPECT_EQ(inception->preprocess.at("mean"), Json({0.5, 0.5, 0.5}));
}

TEST(Registry, NamesOnlyConfigsOfTheProgram) {
  for (const PretrainedTag& tag : pretrained_tags()) {
    ClipConfig config = builtin_config(tag.config);
    EXPECT_NO_THROW(apply_preprocess_config(tag.preprocess, tag.tag, config)) << tag.tag;
    EXPECT_NE(tag.repo.find('/'), std::string::npos) << tag.repo;
  }
  // Section 2 of the specification lists 12 ConvNeXt entries.
  const auto& tags = pretrained_tags();
  EXPECT_EQ(std::count_if(tags.begin(), tags.end(),
                          [](const PretrainedTag& t) { return t.config.starts_with("convnext"); }),
            12);
}

// A configuration that is accepted must also be safe to list and to size.
void read_config(std::span<const std::byte> bytes) {
  const Json json = parse_json(hostile::as_text(bytes), "config.json");
  list_params(parse_model_config(json, "x", "config.json"));
}

TEST(HostileConfig, SurvivesMutation) {
  for (const char* name : {"convnext_base_w", "ViT-M-16-alt", "RN50"}) {
    hostile::expect_survives(builtin_config_json(name), read_config, {.peak_bytes = 4 << 20});
  }
}

TEST(HostileConfig, PreprocessingSurvivesMutation) {
  const std::string_view seed = R"({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.25, 1.5],
      "interpolation": "bilinear", "resize_mode": "longest", "fill_color": 12})";
  const auto apply = [](std::span<const std::byte> bytes) {
    ClipConfig config;
    apply_preprocess_config(parse_json(hostile::as_text(bytes), "x"), "x", config);
  };
  hostile::expect_survives(seed, apply, {.peak_bytes = 1 << 20});
}

TEST(HostileConfig, StaysBoundedAtItsLargest) {
  const std::string seed = with("ViT-B-32", "vision_cfg/layers", 512).dump();
  hostile::expect_contained(std::as_bytes(std::span(seed)), read_config, "512 layers",
                            {.peak_bytes = 8 << 20});
}

}  // namespace
}  // namespace clipnext::model

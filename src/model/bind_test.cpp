#include "model/bind.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace clipnext::model {
namespace {

using weights::Tensor;
using weights::TensorMap;

ClipConfig tiny() {
  ClipConfig config;
  config.name = "tiny";
  config.embed_dim = 6;
  config.image_height = config.image_width = 24;
  config.text = {
      .context_length = 7, .vocab_size = 11, .width = 8, .heads = 2, .layers = 1, .mlp_width = 16};
  config.vision = VitConfig{.layers = 1, .width = 8, .heads = 2, .mlp_width = 16, .patch = 8};
  return config;
}

Tensor filled(const weights::Shape& shape, float value) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return weights::make_tensor(shape, std::vector<float>(static_cast<size_t>(count), value));
}

/// Every tensor of the model; the i-th is filled with i.
TensorMap complete(const ClipConfig& config) {
  TensorMap tensors;
  for (const ParamInfo& info : list_params(config)) {
    tensors.emplace(info.name, filled(info.shape, static_cast<float>(tensors.size())));
  }
  return tensors;
}

std::string error_of(const ClipConfig& config, const TensorMap& tensors) {
  try {
    bind_tensors(config, tensors, "model.pt");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

float first(const Tensor& tensor) { return weights::to_f32(tensor)[0]; }

TEST(Bind, SharesTheCheckpointsBytes) {
  const TensorMap tensors = complete(tiny());
  const auto params = bind_tensors(tiny(), tensors, "model.pt");
  EXPECT_EQ(params.text.projection.data.data(), tensors.at("text_projection").data.data());
  EXPECT_EQ(std::get<VitParams<Tensor>>(params.vision).blocks[0].fc_weight.data.data(),
            tensors.at("visual.transformer.resblocks.0.mlp.c_fc.weight").data.data());
}

TEST(Bind, TakesCustomTextNames) {
  TensorMap custom;
  for (const auto& [name, tensor] : complete(tiny())) {
    const bool plain = name.starts_with("visual.") || name == "logit_scale";
    custom.emplace(plain ? name : "text." + name, tensor);
  }
  custom.emplace("text.transformer.embeddings.position_ids", filled({1, 7}, 0));
  const auto params = bind_tensors(tiny(), custom, "model.pt");
  EXPECT_EQ(first(params.text.projection), first(custom.at("text.text_projection")));
}

TEST(Bind, PassesOverWhatNoTowerNeeds) {
  TensorMap tensors = complete(tiny());
  for (const char* name : {"attn_mask", "input_resolution", "context_length", "vocab_size",
                           "visual.bn1.num_batches_tracked"}) {
    tensors.emplace(name, filled({}, 1));
  }
  EXPECT_EQ(error_of(tiny(), tensors), "");
}

TEST(Bind, ReshapesTheLogitScaleAndSuppliesTheBias) {
  ClipConfig config = tiny();
  config.has_logit_bias = true;
  TensorMap tensors = complete(config);
  tensors.at("logit_scale") = filled({1}, 3);
  tensors.erase("logit_bias");
  const auto params = bind_tensors(config, tensors, "model.pt");
  EXPECT_TRUE(params.logit_scale.shape.empty());
  EXPECT_EQ(first(params.logit_scale), 3);
  EXPECT_EQ(first(params.logit_bias), 0);
}

TEST(Bind, ResizesPositions) {
  TensorMap tensors = complete(tiny());
  tensors.at("visual.positional_embedding") = filled({26, 8}, 0.5f);  // 5 x 5 instead of 3 x 3
  tensors.at("positional_embedding") = filled({5, 8}, 0.25f);
  const auto params = bind_tensors(tiny(), tensors, "model.pt");
  const auto& visual = std::get<VitParams<Tensor>>(params.vision).positional_embedding;
  EXPECT_EQ(visual.shape, (weights::Shape{10, 8}));
  EXPECT_FLOAT_EQ(weights::to_f32(visual)[77], 0.5f);
  EXPECT_EQ(params.text.positional_embedding.shape, (weights::Shape{7, 8}));
  EXPECT_FLOAT_EQ(first(params.text.positional_embedding), 0.25f);
}

TEST(Bind, ListsAllProblemsAtOnce) {
  TensorMap tensors = complete(tiny());
  tensors.erase("ln_final.bias");
  tensors.erase("visual.proj");
  tensors.emplace("visual.head.proj.weight", filled({6, 8}, 0));
  tensors.at("token_embedding.weight") = filled({12, 8}, 0);
  tensors.at("visual.positional_embedding") = filled({25, 8}, 0);  // no square and one
  tensors.at("ln_final.weight") = weights::convert(filled({8}, 1), weights::DType::kI64);
  const std::string error = error_of(tiny(), tensors);
  EXPECT_TRUE(error.starts_with("model.pt: ")) << error;
  for (const char* part : {"tiny", "missing (2)", "ln_final.bias [8]", "visual.proj [8, 6]",
                           "unexpected (1)", "visual.head.proj.weight", "wrong shape (3)",
                           "token_embedding.weight is [12, 8], expected [11, 8]",
                           "visual.positional_embedding is [25, 8], expected [10, 8]",
                           "ln_final.weight is I64, expected a float type"}) {
    EXPECT_NE(error.find(part), std::string::npos) << part << " in\n" << error;
  }
}

TEST(Bind, FittingTakesWhatFitsAndNamesTheRest) {
  ClipConfig config = tiny();
  config.has_logit_bias = true;
  TensorMap tensors = complete(tiny());
  tensors.erase("ln_final.bias");
  tensors.emplace("visual.head.proj.weight", filled({6, 8}, 0));
  tensors.at("token_embedding.weight") = filled({12, 8}, 0);
  tensors.at("visual.positional_embedding") = filled({26, 8}, 0.5f);
  std::vector<std::string> misfits;
  const auto params = bind_fitting(config, tensors, misfits);
  EXPECT_EQ(misfits,
            (std::vector<std::string>{"token_embedding.weight is [12, 8], expected [11, 8]",
                                      "ln_final.bias [8] is missing", "logit_bias [] is missing"}));
  EXPECT_TRUE(params.text.token_embedding.data.empty());
  EXPECT_TRUE(params.text.ln_final.bias.data.empty());
  EXPECT_TRUE(params.logit_bias.data.empty());
  EXPECT_EQ(first(params.text.projection), first(tensors.at("text_projection")));
  EXPECT_EQ(std::get<VitParams<Tensor>>(params.vision).positional_embedding.shape,
            (weights::Shape{10, 8}));
}

/// A ConvNeXt of one block a stage, behind the trunk an MLP.
ClipConfig tiny_convnext() {
  ClipConfig config = tiny();
  config.vision = ConvNextConfig{.timm_name = "convnext_atto",
                                 .depths = {1, 1, 1, 1},
                                 .dims = {4, 4, 4, 8},
                                 .head = HeadType::kMlp};
  return config;
}

/// What timm has of that trunk, with a classifier of `classes`.
TensorMap timm_file(const ClipConfig& config, int64_t classes) {
  constexpr std::string_view kPrefix = "visual.trunk.";
  TensorMap tensors = {{"head.fc.weight", filled({classes, 8}, -1)},
                       {"head.fc.bias", filled({classes}, -2)}};
  for (const auto& [name, tensor] : complete(config)) {
    if (name.starts_with(kPrefix)) tensors.emplace(name.substr(kPrefix.size()), tensor);
  }
  return tensors;
}

std::string trunk_error_of(const ClipConfig& config, const TensorMap& tensors) {
  try {
    bind_trunk(config, tensors, "model.safetensors");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Bind, ATrunkIsTimmsWithoutTheClassifier) {
  const TensorMap tensors = timm_file(tiny_convnext(), 10);
  const auto params = bind_trunk(tiny_convnext(), tensors, "model.safetensors");
  const auto& vision = std::get<ConvNextParams<Tensor>>(params.vision);
  EXPECT_EQ(first(vision.stages[3].blocks[0].gamma), first(tensors.at("stages.3.blocks.0.gamma")));
  EXPECT_EQ(first(vision.head_norm.bias), first(tensors.at("head.norm.bias")));
  EXPECT_TRUE(vision.head_fc1_weight.data.empty());
  EXPECT_TRUE(params.text.projection.data.empty());
  EXPECT_TRUE(params.logit_scale.data.empty());
}

TEST(Bind, ATrunksClassifierIsTheProjectionIfItIsAsWide) {
  ClipConfig config = tiny_convnext();
  auto& convnext = std::get<ConvNextConfig>(config.vision);
  convnext.head = HeadType::kLinear;
  convnext.trunk_head = convnext.head_bias = true;
  const auto projection = [&](int64_t classes) {
    TensorMap tensors = timm_file(tiny_convnext(), classes);
    const auto params = bind_trunk(config, tensors, "model.safetensors");
    const auto& vision = std::get<ConvNextParams<Tensor>>(params.vision);
    return std::pair(vision.head_proj_weight, vision.head_proj_bias);
  };
  EXPECT_EQ(first(projection(6).first), -1);
  EXPECT_EQ(first(projection(6).second), -2);
  EXPECT_TRUE(projection(10).first.data.empty());
  EXPECT_TRUE(projection(10).second.data.empty());
}

TEST(Bind, ATrunkThatDoesNotFitIsListedByTimmsNames) {
  TensorMap tensors = timm_file(tiny_convnext(), 10);
  tensors.erase("head.norm.bias");
  tensors.at("stem.0.weight") = filled({8, 3, 4, 4}, 0);
  tensors.emplace("norm_pre.weight", filled({8}, 0));
  const std::string error = trunk_error_of(tiny_convnext(), tensors);
  EXPECT_TRUE(error.starts_with("model.safetensors: ")) << error;
  for (const char* part :
       {"missing (1):\n    head.norm.bias [8]", "unexpected (1):\n    norm_pre.weight",
        "wrong shape (1)", "    stem.0.weight is [8, 3, 4, 4], expected [4, 3, 4, 4]"}) {
    EXPECT_NE(error.find(part), std::string::npos) << part << " in\n" << error;
  }
}

TEST(Bind, RefusesANameThatIsThereTwice) {
  TensorMap tensors = complete(tiny());
  tensors.emplace("text.ln_final.bias", filled({8}, 0));
  EXPECT_NE(error_of(tiny(), tensors).find("text.ln_final.bias"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::model

#include "train/params.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/test_error.h"
#include "train/testing.h"

namespace clipnext::train {
namespace {

using namespace testing;

struct Moments {
  double mean, deviation, largest;
};

Moments moments(const at::Tensor& x) {
  const at::Tensor y = x.detach().to(at::kDouble);
  return {y.mean().item<double>(), y.std(false).item<double>(), y.abs().max().item<double>()};
}

/// By name, of a fresh model.
std::map<std::string, at::Tensor> initial(const model::ClipConfig& config, uint64_t seed = 1) {
  Params params = make_params(config);
  initialise(params, config, seed);
  std::map<std::string, at::Tensor> tensors;
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    tensors[info.name] = leaf.detach();
  });
  return tensors;
}

void expect_normal(const at::Tensor& x, double deviation) {
  const auto found = moments(x);
  const auto n = static_cast<double>(x.numel());
  EXPECT_NEAR(found.mean, 0, 5 * deviation / std::sqrt(n));
  EXPECT_NEAR(found.deviation, deviation, 5 * deviation / std::sqrt(2 * n));
  EXPECT_GT(found.largest, 2 * deviation);  // a uniform one ends at 1.73
}

void expect_uniform(const at::Tensor& x, double bound) {
  const auto found = moments(x);
  const auto n = static_cast<double>(x.numel());
  EXPECT_NEAR(found.mean, 0, 5 * bound / std::sqrt(3 * n));
  EXPECT_NEAR(found.deviation, bound / std::sqrt(3.0), 5 * bound / std::sqrt(5 * n));
  EXPECT_LE(found.largest, bound * (1 + 1e-6));
}

void expect_constant(const at::Tensor& x, double value) {
  EXPECT_TRUE(at::equal(x, at::full_like(x, value)));
}

TEST(Initialise, FollowsTimmInTheTrunkAndPyTorchInTheAdapter) {
  const auto tensors = initial(small_config("patch_mlp"));
  const std::string block = "visual.trunk.stages.3.blocks.0.";
  expect_normal(tensors.at("visual.trunk.stem.0.weight"), 0.02);
  expect_normal(tensors.at(block + "conv_dw.weight"), 0.02);
  expect_normal(tensors.at(block + "mlp.fc1.weight"), 0.02);
  expect_constant(tensors.at(block + "mlp.fc1.bias"), 0);
  expect_constant(tensors.at(block + "conv_dw.bias"), 0);
  expect_constant(tensors.at(block + "norm.weight"), 1);
  expect_constant(tensors.at(block + "norm.bias"), 0);
  expect_constant(tensors.at(block + "gamma"), 1e-6f);
  expect_uniform(tensors.at("visual.head.mlp.fc1.weight"), 1 / std::sqrt(32.0));
  expect_uniform(tensors.at("visual.head.mlp.fc1.bias"), 1 / std::sqrt(32.0));
  expect_uniform(tensors.at("visual.head.mlp.fc2.weight"), 1 / std::sqrt(48.0));
  const auto linear = initial(small_config("tiered_linear"));
  expect_uniform(linear.at("visual.head.proj.weight"), 1 / std::sqrt(32.0));
  expect_uniform(linear.at("visual.head.proj.bias"), 1 / std::sqrt(32.0));
}

TEST(Initialise, FollowsOpenClipInTheTextTower) {
  const auto tensors = initial(small_config("patch_mlp"));
  const double deviation = 1 / std::sqrt(32.0);
  const std::string block = "transformer.resblocks.1.";
  expect_normal(tensors.at("token_embedding.weight"), 0.02);
  expect_normal(tensors.at("positional_embedding"), 0.01);
  expect_normal(tensors.at(block + "attn.in_proj_weight"), deviation);
  expect_normal(tensors.at(block + "attn.out_proj.weight"), deviation / 2);  // two layers
  expect_normal(tensors.at(block + "mlp.c_proj.weight"), deviation / 2);
  expect_normal(tensors.at(block + "mlp.c_fc.weight"), 1 / std::sqrt(64.0));
  expect_constant(tensors.at(block + "attn.in_proj_bias"), 0);
  expect_constant(tensors.at(block + "attn.out_proj.bias"), 0);
  expect_uniform(tensors.at(block + "mlp.c_fc.bias"), deviation);
  expect_uniform(tensors.at(block + "mlp.c_proj.bias"), 1 / std::sqrt(128.0));
  expect_constant(tensors.at(block + "ln_1.bias"), 0);
  expect_constant(tensors.at("ln_final.weight"), 1);
  expect_normal(tensors.at("text_projection"), deviation);
  expect_constant(tensors.at("logit_scale"), 2.659260036932778);
}

TEST(Initialise, FollowsPyTorchInTheVit) {
  auto config = small_config("vit");
  std::get<model::VitConfig>(config.vision).layer_scale_init = 0.1f;
  const auto tensors = initial(config);
  const double deviation = 1 / std::sqrt(32.0);
  const std::string block = "visual.transformer.resblocks.0.";
  expect_normal(tensors.at("visual.positional_embedding"), deviation);
  expect_normal(tensors.at("visual.class_embedding"), deviation);
  expect_normal(tensors.at("visual.proj"), deviation);
  expect_uniform(tensors.at("visual.conv1.weight"), 1 / std::sqrt(3.0 * 16 * 16));
  expect_uniform(tensors.at(block + "attn.in_proj_weight"), std::sqrt(6.0 / (4 * 32)));
  expect_constant(tensors.at(block + "attn.in_proj_bias"), 0);
  expect_constant(tensors.at(block + "attn.out_proj.bias"), 0);
  expect_uniform(tensors.at(block + "attn.out_proj.weight"), deviation);
  expect_uniform(tensors.at(block + "mlp.c_fc.weight"), deviation);
  expect_uniform(tensors.at(block + "mlp.c_fc.bias"), deviation);
  expect_uniform(tensors.at(block + "mlp.c_proj.weight"), 1 / std::sqrt(128.0));
  expect_uniform(tensors.at(block + "mlp.c_proj.bias"), 1 / std::sqrt(128.0));
  expect_constant(tensors.at(block + "ls_1.gamma"), 0.1f);
}

TEST(Initialise, FollowsOpenClipInTheResNet) {
  const auto tensors = initial(small_config("resnet"));
  const double deviation = 1 / std::sqrt(256.0);
  expect_uniform(tensors.at("visual.conv2.weight"), 1 / std::sqrt(4.0 * 9));
  expect_uniform(tensors.at("visual.layer2.0.downsample.0.weight"), 1 / std::sqrt(32.0));
  expect_constant(tensors.at("visual.bn3.weight"), 1);
  expect_constant(tensors.at("visual.layer2.1.bn3.weight"), 0);
  expect_constant(tensors.at("visual.layer2.1.bn2.weight"), 1);
  expect_constant(tensors.at("visual.layer2.0.downsample.1.weight"), 1);
  expect_constant(tensors.at("visual.layer2.0.downsample.1.bias"), 0);
  expect_constant(tensors.at("visual.bn1.running_mean"), 0);
  expect_constant(tensors.at("visual.bn1.running_var"), 1);
  expect_normal(tensors.at("visual.attnpool.q_proj.weight"), deviation);
  expect_normal(tensors.at("visual.attnpool.c_proj.weight"), deviation);
  expect_uniform(tensors.at("visual.attnpool.k_proj.bias"), deviation);
  expect_normal(tensors.at("visual.attnpool.positional_embedding"), deviation);
}

TEST(Initialise, IsAFunctionOfSeedAndName) {
  const auto config = small_config("patch_mlp");
  const auto first = initial(config, 1);
  const auto again = initial(config, 1);
  const auto other = initial(config, 2);
  for (const auto& [name, x] : first) EXPECT_TRUE(at::equal(x, again.at(name))) << name;
  const std::string a = "transformer.resblocks.0.attn.out_proj.weight";
  const std::string b = "transformer.resblocks.1.attn.out_proj.weight";
  EXPECT_FALSE(at::equal(first.at(a), other.at(a)));
  EXPECT_FALSE(at::equal(first.at(a), first.at(b)));
}

TEST(Params, OnlyStatisticsNeedNoGradient) {
  const auto config = small_config("resnet");
  Params params = synthetic_params(config);
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    EXPECT_EQ(leaf.requires_grad(), info.role != model::Role::kStatistic) << info.name;
    EXPECT_TRUE(leaf.is_leaf()) << info.name;
  });
}

TEST(Params, GoToTensorsAndBack) {
  for (const auto& name : small_models()) {
    const auto config = small_config(name);
    ThreadPool pool(1);
    const auto tensors = model::synthetic_weights(config, pool);
    Params params = from_tensors(config, tensors, "test");
    const auto back = to_tensors(params, config);
    ASSERT_EQ(back.size(), tensors.size());
    for (const auto& [key, tensor] : tensors) {
      EXPECT_EQ(weights::to_f32(back.at(key)), weights::to_f32(tensor)) << key;
      EXPECT_EQ(back.at(key).shape, tensor.shape) << key;
    }
  }
}

TEST(Params, RefuseACheckpointThatLacksATensor) {
  const auto config = small_config("patch_mlp");
  ThreadPool pool(1);
  auto tensors = model::synthetic_weights(config, pool);
  tensors.erase("ln_final.bias");
  try {
    from_tensors(config, tensors, "old.pt");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ln_final.bias"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("old.pt"), std::string::npos) << error.what();
  }
}

TEST(Params, AreNotLoadedFromACheckpointOfWhichNothingFits) {
  const auto config = small_config("vit");
  Params params = synthetic_params(config);
  const std::string error = message_of([&] { load_fitting(params, config, {}, "old.pt"); });
  EXPECT_EQ(error, "old.pt: holds no tensor that fits vit");
}

/// Which tensors are not float32 after a cast.
std::map<std::string, bool> cast_of(const std::string& model, CastRule rule) {
  const auto config = small_config(model);
  Params params = synthetic_params(config);
  cast_params(params, config, at::kBFloat16, rule);
  std::map<std::string, bool> cast;
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    cast[info.name] = leaf.scalar_type() == at::kBFloat16;
    EXPECT_EQ(leaf.requires_grad(), info.role != model::Role::kStatistic) << info.name;
  });
  return cast;
}

TEST(CastParams, LeavesWhatOpenClipLeaves) {
  const auto timm = cast_of("patch_mlp", CastRule::kNative);
  EXPECT_TRUE(timm.at("visual.trunk.stem.1.weight"));
  EXPECT_TRUE(timm.at("logit_scale"));
  EXPECT_TRUE(timm.at("token_embedding.weight"));
  EXPECT_FALSE(timm.at("ln_final.weight"));
  EXPECT_FALSE(timm.at("transformer.resblocks.0.ln_1.bias"));
  const auto vit = cast_of("vit", CastRule::kNative);
  EXPECT_TRUE(vit.at("visual.conv1.weight"));
  EXPECT_TRUE(vit.at("visual.proj"));
  EXPECT_TRUE(vit.at("text_projection"));
  EXPECT_TRUE(vit.at("transformer.resblocks.0.attn.in_proj_bias"));
  EXPECT_TRUE(vit.at("transformer.resblocks.0.mlp.c_fc.bias"));
  EXPECT_FALSE(vit.at("visual.ln_pre.bias"));
  EXPECT_FALSE(vit.at("token_embedding.weight"));
  EXPECT_FALSE(vit.at("positional_embedding"));
  EXPECT_FALSE(vit.at("logit_scale"));
  const auto resnet = cast_of("resnet", CastRule::kNative);
  EXPECT_TRUE(resnet.at("visual.layer1.0.conv1.weight"));
  EXPECT_TRUE(resnet.at("visual.attnpool.k_proj.bias"));
  EXPECT_FALSE(resnet.at("visual.layer1.0.bn1.bias"));
  EXPECT_FALSE(resnet.at("visual.layer1.0.downsample.1.bias"));
  EXPECT_FALSE(resnet.at("visual.bn1.running_var"));
  for (const auto& [name, cast] : cast_of("vit", CastRule::kPure)) EXPECT_TRUE(cast) << name;
}

TEST(CastParams, ModelsComputeInTheirType) {
  for (const auto& name : small_models()) {
    for (const CastRule rule : {CastRule::kNative, CastRule::kPure}) {
      const auto config = small_config(name);
      Params params = synthetic_params(config);
      const at::Tensor want = encode_image(params, config, sample_pixels(config), {});
      const at::Tensor text = encode_text(params, config, small_tokens(), {});
      cast_params(params, config, at::kBFloat16, rule);
      const at::Tensor found = encode_image(params, config, sample_pixels(config), {});
      EXPECT_EQ(found.scalar_type(), at::kBFloat16) << name;
      EXPECT_LE(relative_error(found, want), 0.1) << name;
      EXPECT_LE(relative_error(encode_text(params, config, small_tokens(), {}), text), 0.1) << name;
    }
  }
}

}  // namespace
}  // namespace clipnext::train

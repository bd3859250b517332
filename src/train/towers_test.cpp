// The training towers equal infer's, block by block, and what only training has.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "infer/clip.h"
#include "train/convnext.h"
#include "train/embedder.h"
#include "train/held_test.h"
#include "train/testing.h"

namespace clipnext::train {
namespace {

using namespace testing;

// Two float32 computations of the same values of size about 1.
constexpr double kTolerance = 1e-5;

using Shown = std::map<std::string, at::Tensor>;

Trace keep(Shown& shown) {
  return
      [&shown](const std::string& name, const at::Tensor& x) { shown[name] = x.detach().clone(); };
}

infer::Trace keep_infer(Shown& shown) {
  return [&shown](const std::string& name, const float* data, const weights::Shape& shape) {
    at::Tensor x = at::empty(shape, at::kFloat);
    std::copy_n(data, x.numel(), x.data_ptr<float>());
    shown[name] = x;
  };
}

/// Every result that both show, and that those are `least` or more.
void expect_equal(const Shown& found, const Shown& want, int least, const std::string& model) {
  int common = 0;
  for (const auto& [name, x] : found) {
    const auto at = want.find(name);
    if (at == want.end()) continue;
    ++common;
    ASSERT_EQ(x.numel(), at->second.numel()) << model << " " << name;
    EXPECT_LE(relative_error(x.reshape(-1), at->second.reshape(-1)), kTolerance)
        << model << " " << name;
  }
  EXPECT_GE(common, least) << model;
}

/// infer's model with weights by rule.
struct Inference {
  explicit Inference(const model::ClipConfig& config)
      : pool(1), clip(config, model::synthetic_weights(config, pool), pool) {}
  ThreadPool pool;
  infer::Clip clip;
};

TEST(ImageTowers, EqualInferenceBlockByBlock) {
  auto names = small_models();
  names.push_back("vit_quickgelu");
  for (const auto& name : names) {
    const auto config = small_config(name);
    const Params params = synthetic_params(config);
    Shown found;
    Shown want;
    encode_image(params, config, sample_pixels(config, 1), {.trace = keep(found)});
    Inference inference(config);
    const auto pixels = model::synthetic_picture(64, 64);
    std::vector<float> out(static_cast<size_t>(config.embed_dim));
    inference.clip.trace_images({pixels.data(), 1, 64, 64}, out.data(), keep_infer(want));
    expect_equal(found, want, 4, name);
  }
}

TEST(TextTower, EqualsInferenceBlockByBlock) {
  for (const char* name : {"patch_mlp", "vit_quickgelu"}) {
    const auto config = small_config(name);
    const Params params = synthetic_params(config);
    Shown found;
    Shown want;
    const auto tokens = small_tokens();
    encode_text(params, config, tokens, {.trace = keep(found)});
    Inference inference(config);
    std::vector<std::span<const int32_t>> rows;
    for (int64_t i = 0; i < tokens.size(); ++i) rows.push_back(tokens.row(i));
    std::vector<float> out(static_cast<size_t>(3 * config.embed_dim));
    inference.clip.trace_texts(rows, out.data(), keep_infer(want));
    expect_equal(found, want, 3, name);
  }
}

TEST(TextTower, DoesNotDependOnItsBatch) {
  const auto config = small_config("patch_mlp");
  const Params params = synthetic_params(config);
  const at::Tensor together = encode_text(params, config, small_tokens(), {});
  for (int64_t i = 0; i < 3; ++i) {
    model::TokenRows alone;
    alone.add(small_texts()[static_cast<size_t>(i)]);
    EXPECT_LE(relative_error(encode_text(params, config, alone, {})[0], together[i]), 1e-6) << i;
  }
}

TEST(TextTower, RefusesWhatItHasNoEmbeddingFor) {
  const auto config = small_config("patch_mlp");
  const Params params = synthetic_params(config);
  model::TokenRows unknown;
  unknown.add(std::vector<int32_t>{62, 64});
  EXPECT_THROW(encode_text(params, config, unknown, {}), Error);
  model::TokenRows longer;
  longer.add(std::vector<int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 63});
  EXPECT_THROW(encode_text(params, config, longer, {}), Error);
}

TEST(ImageTowers, RefuseSizesTheyCannotTake) {
  const auto convnext = small_config("patch_mlp");
  EXPECT_THROW(encode_image(synthetic_params(convnext), convnext, at::zeros({1, 31, 64, 3}), {}),
               Error);
  const auto vit = small_config("vit");
  EXPECT_THROW(encode_image(synthetic_params(vit), vit, at::zeros({1, 64, 80, 3}), {}), Error);
}

TEST(Embedder, EqualsInference) {
  const auto config = small_config("patch_mlp");
  const Params params = synthetic_params(config);
  Clip clip(config, params);
  Inference inference(config);
  const auto pixels = model::synthetic_picture(64, 64);
  const auto tokens = small_tokens();
  for (const bool normalize : {false, true}) {
    std::vector<float> found(4 * 24);
    std::vector<float> want(4 * 24);
    clip.embed_images({pixels.data(), 1, 64, 64}, found.data(), normalize);
    clip.embed_texts(tokens, found.data() + 24, normalize);
    inference.clip.embed_images({pixels.data(), 1, 64, 64}, want.data(), normalize);
    inference.clip.embed_texts(tokens, want.data() + 24, normalize);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], want[i], 2e-5) << i;
  }
  EXPECT_FLOAT_EQ(clip.logit_scale(), inference.clip.logit_scale());
}

TEST(Embedder, SeesWhatTrainingChanges) {
  const auto config = small_config("patch_mlp");
  Params params = synthetic_params(config);
  Clip clip(config, params);
  {
    const at::NoGradGuard guard;
    params.logit_scale.fill_(1);
  }
  EXPECT_FLOAT_EQ(clip.logit_scale(), std::exp(1.0f));
}

TEST(DropPath, DropsWholeBranchesOfSamplesAndScalesTheRest) {
  const auto config = small_config("patch_mlp");
  const Params params = synthetic_params(config);
  const auto& block =
      std::get<model::ConvNextParams<at::Tensor>>(params.vision).stages[1].blocks[0];
  const at::Tensor x = synthetic("maps", {4, 6, 5, 16});
  const at::Tensor keep = at::tensor({0.0f, 1.25f, 1.25f, 0.0f}).view({4, 1, 1, 1});
  const at::Tensor plain = convnext_block(x, block, 1e-6, {});
  const at::Tensor dropped = convnext_block(x, block, 1e-6, keep);
  EXPECT_LE(relative_error(dropped, x + keep * (plain - x)), 1e-6);
  EXPECT_TRUE(at::equal(dropped[0], x[0]));
}

TEST(DropPath, RatesRiseFromBlockToBlock) {
  const auto rates = drop_path_rates(0.1, 36);
  ASSERT_EQ(rates.size(), 36U);
  EXPECT_EQ(rates[0], 0);
  for (size_t k = 0; k < 36; ++k) EXPECT_NEAR(rates[k], 0.1 * static_cast<double>(k) / 35, 1e-8);
}

TEST(DropPath, IsOfTrainingAloneAndOfItsKey) {
  const auto config = dropping(0.5, 0);
  const Params params = synthetic_params(config);
  const at::Tensor pixels = sample_pixels(config, 8);
  const auto encode = [&](bool training, uint64_t key) {
    return encode_image(params, config, pixels, {.training = training, .random = key});
  };
  EXPECT_TRUE(at::equal(encode(false, 1), encode(false, 2)));
  EXPECT_TRUE(at::equal(encode(true, 1), encode(true, 1)));
  EXPECT_FALSE(at::equal(encode(true, 1), encode(true, 2)));
}

TEST(HeadDropout, IsOfTrainingAlone) {
  const auto config = dropping(0, 0.5);
  const Params params = synthetic_params(config);
  const at::Tensor pixels = sample_pixels(config, 2);
  const at::Tensor plain = encode_image(params, config, pixels, {});
  const Mode training{.training = true, .random = 3};
  const at::Tensor dropped = encode_image(params, config, pixels, training);
  EXPECT_GT(relative_error(dropped, plain), 0.1);
  EXPECT_TRUE(at::equal(dropped, encode_image(params, config, pixels, training)));
  EXPECT_FALSE(
      at::equal(dropped, encode_image(params, config, pixels, {.training = true, .random = 4})));
}

TEST(PatchDropout, KeepsTheShareThatOpenClipKeeps) {
  const Mode mode{.training = true, .random = 5};
  const at::Tensor kept = kept_patches(mode, 0.5, 200, 9, at::kCPU);
  EXPECT_EQ(kept.sizes(), (std::vector<int64_t>{200, 4}));
  std::vector<int> counts(9);
  for (int64_t i = 0; i < 200; ++i) {
    for (int64_t j = 0; j < 4; ++j) {
      const auto patch = kept[i][j].item<int64_t>();
      if (j > 0) {
        EXPECT_GT(patch, kept[i][j - 1].item<int64_t>());
      }
      ++counts[static_cast<size_t>(patch)];
    }
  }
  for (const int count : counts) EXPECT_NEAR(count, 200 * 4 / 9.0, 35);
}

TEST(PatchDropout, ChangesTrainingOnly) {
  auto config = small_config("vit");
  std::get<model::VitConfig>(config.vision).patch_dropout = 0.5f;
  const Params params = synthetic_params(config);
  const at::Tensor pixels = sample_pixels(config, 2);
  const at::Tensor plain = encode_image(params, config, pixels, {});
  const at::Tensor dropped = encode_image(params, config, pixels, {.training = true, .random = 1});
  EXPECT_GT(relative_error(dropped, plain), 1e-3);
}

TEST(KeepMask, HasTheMeanOfOne) {
  const Mode mode{.training = true, .random = 11};
  const at::Tensor mask =
      keep_mask(mode, Mask::kDropPath, 3, 0.1, {20000}, at::empty({1}, at::kFloat));
  EXPECT_NEAR(mask.mean().item<double>(), 1, 0.01);
  EXPECT_NEAR((mask == 0).to(at::kFloat).mean().item<double>(), 0.1, 0.01);
  EXPECT_FALSE(keep_mask({}, Mask::kDropPath, 3, 0.1, {2}, mask).defined());
  EXPECT_NE(mask_key(mode, Mask::kDropPath, 1), mask_key(mode, Mask::kDropPath, 2));
  EXPECT_NE(mask_key(mode, Mask::kDropPath, 1), mask_key(mode, Mask::kHeadDropout, 1));
  EXPECT_NE(pass_key(1, 0, 5), pass_key(1, 1, 5));
  EXPECT_NE(pass_key(1, 0, 5), pass_key(1, 0, 6));
  EXPECT_NE(pass_key(1, 0, 5), pass_key(2, 0, 5));
}

void expect_checkpointed_equals_plain(const model::ClipConfig& config,
                                      std::optional<at::ScalarType> autocast) {
  Params params = synthetic_params(config);
  const Mode plain{.training = true, .autocast = autocast, .random = 21};
  Mode checkpointed = plain;
  checkpointed.checkpoint = true;
  const auto want = gradients_of(params, config, plain, small_tokens());
  const auto found = gradients_of(params, config, checkpointed, small_tokens());
  for (size_t i = 0; i < want.names.size(); ++i) {
    EXPECT_TRUE(at::equal(found.values[i], want.values[i])) << config.name << " " << want.names[i];
  }
}

// Spec: training.md section 10, item 11.
TEST(Checkpointing, GivesTheBitsOfPlainBackward) {
  expect_checkpointed_equals_plain(dropping(0.1, 0.1), std::nullopt);
  expect_checkpointed_equals_plain(small_config("vit"), std::nullopt);
}

TEST(Checkpointing, GivesTheBitsOfPlainBackwardUnderAutocast) {
  expect_checkpointed_equals_plain(dropping(0.1, 0.1), at::kBFloat16);
  expect_checkpointed_equals_plain(small_config("vit"), at::kBFloat16);
}

TEST(Checkpointing, HoldsLess) {
  const auto held_after_forward = [](const model::ClipConfig& config, bool checkpoint) {
    Params params = synthetic_params(config);
    auto held = std::make_shared<Held>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, held);
    const Mode mode{.training = true, .checkpoint = checkpoint};
    const at::Tensor image = encode_image(params, config, sample_pixels(config), mode);
    const at::Tensor text = encode_text(params, config, small_tokens(), mode);
    return held->now;
  };
  for (const char* name : {"patch_mlp", "vit"}) {
    const auto config = small_config(name);
    // What is left are pictures, embeddings, and inputs of blocks.
    EXPECT_LT(held_after_forward(config, true), held_after_forward(config, false) * 3 / 5) << name;
  }
}

TEST(Checkpointing, RunsEachParametersHookOnce) {
  const auto config = small_config("patch_mlp");
  Params params = synthetic_params(config);
  std::map<std::string, int> calls;
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    leaf.register_hook([&calls, name = info.name](const at::Tensor&) { ++calls[name]; });
  });
  const Mode mode{.training = true, .checkpoint = true};
  probe_loss(encode_image(params, config, sample_pixels(config), mode),
             encode_text(params, config, small_tokens(), mode))
      .backward();
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    if (info.role == model::Role::kLogitScale) return;
    EXPECT_EQ(calls[info.name], 1) << info.name;
    EXPECT_TRUE(leaf.grad().defined()) << info.name;
  });
}

TEST(Autocast, ComputesInItsTypeAndKeepsFloat32Gradients) {
  for (const auto& name : small_models()) {
    const auto config = small_config(name);
    Params params = synthetic_params(config);
    const Mode mode{.training = true, .autocast = at::kBFloat16};
    const at::Tensor x = encode_image(params, config, sample_pixels(config), mode);
    const at::Tensor plain =
        encode_image(params, config, sample_pixels(config), {.training = true});
    EXPECT_LE(relative_error(x, plain), 0.1) << name;
    EXPECT_GT(relative_error(x, plain), 1e-5) << name;
    const auto gradients = gradients_of(params, config, mode, small_tokens());
    for (const auto& g : gradients.values) EXPECT_EQ(g.scalar_type(), at::kFloat) << name;
  }
  EXPECT_FALSE(current_autocast(at::kCPU).has_value());
}

TEST(BatchNorm, FrozenUsesAndKeepsRunningStatistics) {
  const auto config = small_config("resnet");
  Params params = synthetic_params(config);
  const at::Tensor pixels = sample_pixels(config);
  const at::Tensor evaluated = encode_image(params, config, pixels, {});
  const at::Tensor frozen =
      encode_image(params, config, pixels, {.training = true, .freeze_batch_norm = true});
  EXPECT_TRUE(at::equal(frozen, evaluated));
  encode_image(params, config, pixels, {.training = true});
  EXPECT_FALSE(at::equal(encode_image(params, config, pixels, {}), evaluated));
}

}  // namespace
}  // namespace clipnext::train

#include "infer/clip.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/error.h"
#include "base/test_error.h"
#include "hostile/allocation_guard.h"
#include "parity/synthetic.h"

namespace clipnext::infer {
namespace {

/// A tiny model and room for one result of each kind.
struct Tiny {
  explicit Tiny(const std::string& name, int threads = 2)
      : pool(threads),
        config(testing::tiny_config(name)),
        clip(config, testing::synthetic_weights(config, pool), pool) {}

  std::string picture_error(int64_t h, int64_t w) {
    const auto pixels = testing::synthetic_picture(h, w);
    return message_of([&] { clip.embed_images({pixels.data(), 1, h, w}, out.data()); });
  }

  std::string text_error(const std::vector<int32_t>& ids) {
    model::TokenRows rows;
    rows.add(ids);
    return message_of([&] { clip.embed_texts(rows, out.data()); });
  }

  ThreadPool pool;
  model::ClipConfig config;
  Clip clip;
  std::vector<float> out = std::vector<float>(24);
};

TEST(Clip, RefusesSizesATowerCannotTake) {
  EXPECT_NE(Tiny("tiny_vit").picture_error(64, 80).find("80x64"), std::string::npos);
  EXPECT_NE(Tiny("tiny_vit").picture_error(64, 80).find("64x64"), std::string::npos);
  EXPECT_NE(Tiny("tiny_rn").picture_error(32, 64).find("64x32"), std::string::npos);
  EXPECT_NE(Tiny("tiny_convnext_mlp").picture_error(31, 64).find("32x32"), std::string::npos);
}

TEST(Clip, RefusesToGiveValuesThatAreNotFinite) {
  ThreadPool pool(2);
  const model::ClipConfig config = testing::tiny_config("tiny_convnext_mlp");
  weights::TensorMap tensors = testing::synthetic_weights(config, pool);
  weights::Tensor& weight = tensors.at("visual.head.mlp.fc2.weight");
  std::vector<float> values = weights::to_f32(weight);
  values[5] = std::nanf("");
  weight = weights::make_tensor(weight.shape, values);
  Clip clip(config, tensors, pool);
  const auto pixels = testing::synthetic_picture(64, 64);
  std::vector<float> out(24);
  const std::string error = message_of([&] {
    clip.embed_images({pixels.data(), 1, 64, 64}, out.data());
  });
  EXPECT_NE(error.find("not finite"), std::string::npos) << error;
}

TEST(Clip, RefusesTextsItHasNoEmbeddingFor) {
  Tiny tiny("tiny_convnext_mlp");
  EXPECT_NE(tiny.text_error({49408}).find("49408"), std::string::npos);
  EXPECT_NE(tiny.text_error({-1}).find("-1"), std::string::npos);
  std::vector<int32_t> ids(78, 5);
  ids.back() = 49407;
  EXPECT_NE(tiny.text_error(ids).find("78 tokens"), std::string::npos);
}

TEST(Clip, RefusesAHeadlessTrunkOfAnotherWidth) {
  ThreadPool pool(1);
  model::ClipConfig config = testing::tiny_config("tiny_convnext_linear");
  std::get<model::ConvNextConfig>(config.vision).head = model::HeadType::kNone;
  const auto tensors = testing::synthetic_weights(config, pool);
  EXPECT_NE(message_of([&] { const Clip clip(config, tensors, pool); }).find("gives 32"),
            std::string::npos);
}

TEST(Clip, NormalisesUnlessToldNotTo) {
  Tiny tiny("tiny_vit");
  const auto pixels = testing::synthetic_picture(64, 64);
  std::vector<float> raw(24);
  tiny.clip.embed_images({pixels.data(), 1, 64, 64}, tiny.out.data());
  tiny.clip.embed_images({pixels.data(), 1, 64, 64}, raw.data(), false);
  double unit = 0;
  double norm = 0;
  for (size_t i = 0; i < 24; ++i) {
    unit += double{tiny.out[i]} * double{tiny.out[i]};
    norm += double{raw[i]} * double{raw[i]};
  }
  EXPECT_NEAR(unit, 1, 1e-6);
  for (size_t i = 0; i < 24; ++i) EXPECT_NEAR(tiny.out[i], raw[i] / std::sqrt(norm), 1e-6);
}

TEST(Clip, TakesEmptyBatches) {
  Tiny tiny("tiny_rn");
  tiny.clip.embed_images({nullptr, 0, 64, 64}, nullptr);
  tiny.clip.embed_texts({}, nullptr);
}

TEST(Clip, KnowsItsScale) {
  EXPECT_NEAR(Tiny("tiny_vit").clip.logit_scale(), std::exp(4.5), 1e-4);
  EXPECT_EQ(Tiny("tiny_vit").clip.logit_bias(), 0);
}

TEST(Clip, AcceptsHalfPrecisionWeights) {
  ThreadPool pool(1);
  for (const char* name : {"tiny_convnext_mlp", "tiny_rn"}) {
    const model::ClipConfig config = testing::tiny_config(name);
    weights::TensorMap half;
    weights::TensorMap widened;
    for (const auto& [key, tensor] : testing::synthetic_weights(config, pool)) {
      half[key] = weights::convert(tensor, weights::DType::kF16);
      widened[key] = weights::convert(half[key], weights::DType::kF32);
    }
    const auto pixels = testing::synthetic_picture(64, 64);
    std::vector<float> x(24);
    std::vector<float> y(24);
    Clip(config, half, pool).embed_images({pixels.data(), 1, 64, 64}, x.data());
    Clip(config, widened, pool).embed_images({pixels.data(), 1, 64, 64}, y.data());
    EXPECT_EQ(x, y) << name;
  }
}

TEST(Clip, AllocatesNothingOnceWarm) {
  for (const char* name : {"tiny_convnext_mlp", "tiny_vit", "tiny_rn"}) {
    Tiny tiny(name, 1);
    const auto pixels = testing::synthetic_picture(64, 64);
    model::TokenRows rows;
    rows.add(testing::sample_texts()[0]);
    const auto embed = [&] {
      tiny.clip.embed_images({pixels.data(), 1, 64, 64}, tiny.out.data());
      tiny.clip.embed_texts(rows, tiny.out.data());
    };
    embed();
    embed();
    const hostile::AllocationPeak peak;
    embed();
    EXPECT_EQ(peak.bytes(), 0) << name;
  }
}

TEST(Clip, ImageIdentityIsThatOfWeightsAndArithmetic) {
  for (const char* name : {"tiny_convnext", "tiny_vit", "tiny_rn"}) {
    const model::ClipConfig config = testing::tiny_config(name);
    ThreadPool pool(1);
    auto tensors = testing::synthetic_weights(config, pool);
    const std::string identity = Clip(config, tensors, pool).image_identity();
    EXPECT_EQ(identity.size(), 32U);
    ThreadPool three(3);
    EXPECT_EQ(Clip(config, tensors, three).image_identity(), identity);

    auto other = config;
    other.preprocess.mean[1] += 0.1F;
    EXPECT_NE(Clip(other, tensors, pool).image_identity(), identity);
    for (auto& [tensor_name, tensor] : tensors) {
      if (!tensor_name.starts_with("visual.")) continue;
      auto values = weights::to_f32(tensor);
      values.back() += 0.25F;
      tensor = weights::make_tensor(tensor.shape, values);
      EXPECT_NE(Clip(config, tensors, pool).image_identity(), identity) << tensor_name;
      break;
    }
  }
}

}  // namespace
}  // namespace clipnext::infer

// Whole towers over synthetic weights equal the stored float64 outputs of open_clip.
#include "golden.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "infer/clip.h"
#include "synthetic.h"

namespace clipnext {
namespace {

// The reference's own float32 differs from its float64 by up to 7e-6 on these unnormalised
// features.
constexpr double kTolerance = 1e-5;

/// The traced results that a golden line exists for, by the line's name.
struct Intermediate {
  std::vector<float> values;
  weights::Shape shape;
};
using Intermediates = std::map<std::string, Intermediate>;

infer::Trace keep(Intermediates& kept) {
  return [&kept](const std::string& name, const float* data, const weights::Shape& shape) {
    static const std::map<std::string, std::string> kLines = {
        {"visual.trunk.stem", "stem"},
        {"visual.trunk.stages.0.blocks.0.conv_dw", "stage0.block0.conv_dw"},
        {"visual.trunk.stages.0", "stage0"},
        {"visual.trunk.stages.1", "stage1"},
        {"visual.trunk.stages.2", "stage2"},
        {"visual.trunk.stages.3", "stage3"},
        {"visual.trunk.head", "trunk.head"},
        {"transformer.resblocks.0", "text.resblock0"}};
    const auto line = kLines.find(name);
    if (line == kLines.end()) return;
    int64_t count = 1;
    for (const int64_t side : shape) count *= side;
    kept[line->second] = {{data, data + count}, shape};
  };
}

/// [1, h, w, c] to [1, c, h, w]; other ranks as they are.
std::vector<float> channels_first(const Intermediate& x) {
  if (x.shape.size() != 4) return x.values;
  const int64_t pixels = x.shape[1] * x.shape[2];
  const int64_t c = x.shape[3];
  std::vector<float> y;
  for (int64_t i = 0; i < c; ++i) {
    for (int64_t p = 0; p < pixels; ++p) y.push_back(x.values[static_cast<size_t>(p * c + i)]);
  }
  return y;
}

void expect_intermediate(const std::string& line, const Intermediate& x,
                         const std::vector<double>& want) {
  ASSERT_EQ(want.size(), 4u) << line;
  const std::vector<float> y = channels_first(x);
  EXPECT_NEAR(y.front(), want[0], kTolerance) << line;
  EXPECT_NEAR(y[y.size() / 2], want[1], kTolerance) << line;
  EXPECT_NEAR(y.back(), want[2], kTolerance) << line;
  const double sum = std::accumulate(y.begin(), y.end(), 0.0);
  EXPECT_NEAR(sum / static_cast<double>(y.size()), want[3], kTolerance) << line;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void expect_features(const std::string& line, const std::vector<float>& x,
                     const std::vector<double>& want) {
  ASSERT_EQ(want.size(), 10u) << line;
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(x[i], want[i], kTolerance) << line << " " << i;
  EXPECT_NEAR(std::sqrt(dot(x, x)), want[8], kTolerance) << line << " norm";
  // Errors of the sum's terms add up.
  const double terms = static_cast<double>(x.size());
  EXPECT_NEAR(std::accumulate(x.begin(), x.end(), 0.0), want[9], kTolerance * std::sqrt(terms))
      << line << " sum";
}

void expect_golden(const model::ClipConfig& config) {
  const testing::Golden golden = testing::golden_of(config.name);
  ThreadPool pool;
  infer::Clip clip(config, testing::synthetic_weights(config, pool), pool);
  const auto d = static_cast<size_t>(config.embed_dim);

  Intermediates kept;
  std::vector<float> image(d);
  const auto pixels = testing::synthetic_picture(config.image_height, config.image_width);
  clip.trace_images({pixels.data(), 1, config.image_height, config.image_width}, image.data(),
                    keep(kept));
  expect_features("image", image, golden.at("image"));

  std::vector<std::vector<float>> texts;
  for (const auto& ids : testing::sample_texts()) {
    model::TokenRows row;
    row.add(ids);
    clip.embed_texts(row, texts.emplace_back(d).data(), false);
    expect_features("text" + std::to_string(texts.size() - 1), texts.back(),
                    golden.at("text" + std::to_string(texts.size() - 1)));
  }

  // The line counts padding: whole contexts, whose own features mean nothing.
  std::vector<std::vector<int32_t>> padded = testing::sample_texts();
  for (auto& ids : padded) ids.resize(static_cast<size_t>(config.text.context_length));
  const std::vector<std::span<const int32_t>> rows(padded.begin(), padded.end());
  std::vector<float> unused(2 * d);
  clip.trace_texts(rows, unused.data(), keep(kept));
  for (const auto& [line, x] : kept) {
    if (golden.contains(line)) expect_intermediate(line, x, golden.at(line));
  }

  for (size_t i = 0; i < 2; ++i) {
    const double cosine =
        dot(image, texts[i]) / std::sqrt(dot(image, image) * dot(texts[i], texts[i]));
    EXPECT_NEAR(cosine, golden.at("cos")[i], kTolerance);
    const double scale = clip.logit_scale();
    EXPECT_NEAR(cosine * scale, golden.at("cos")[2 + i], kTolerance * scale);
  }
}

TEST(Synthetic, FollowsTheRule) {
  ThreadPool pool(1);
  EXPECT_EQ(testing::hash_name("logit_scale"), 0xCCDA59A2223EA645u);
  const auto stem =
      weights::to_f32(testing::synthetic_tensor("visual.trunk.stem.0.weight", {8, 3, 4, 4}, pool));
  EXPECT_FLOAT_EQ(stem[0], -0.24110371f);
  EXPECT_FLOAT_EQ(stem[3], 0.1986224f);
  const auto projection =
      weights::to_f32(testing::synthetic_tensor("text_projection", {32, 24}, pool));
  EXPECT_FLOAT_EQ(projection[1], 0.23504262f);
}

class Golden : public ::testing::TestWithParam<const char*> {};

TEST_P(Golden, TinyModelEqualsStoredOutputs) { expect_golden(testing::tiny_config(GetParam())); }
INSTANTIATE_TEST_SUITE_P(Tiny, Golden,
                         ::testing::Values("tiny_convnext_mlp", "tiny_convnext_linear",
                                           "tiny_convnext_xx_linear", "tiny_vit",
                                           "tiny_vit_quickgelu", "tiny_rn"),
                         [](const auto& test) { return std::string(test.param); });

TEST(GoldenFullSize, VitB32EqualsStoredOutputs) {
  expect_golden(model::builtin_config("ViT-B-32"));
}

TEST(SlowGolden, ConvNextBaseWEqualsStoredOutputs) {
  expect_golden(model::builtin_config("convnext_base_w"));
}

TEST(SlowGolden, ConvNextLargeD320EqualsStoredOutputs) {
  expect_golden(model::builtin_config("convnext_large_d_320"));
}

}  // namespace
}  // namespace clipnext

// timm's ConvNeXt variants behind open_clip's adapters, and a ViT with layer scale, equal stored
// float64 features.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/file.h"
#include "base/json.h"
#include "infer/clip.h"
#include "synthetic.h"

namespace clipnext {
namespace {

// As for the golden values: the reference's own float32 is no closer to its float64.
constexpr double kTolerance = 1e-5;

Json read_cases() {
  const std::string path = CLIPNEXT_SOURCE_DIR "/tests/data/parity/variants.json";
  return parse_json(read_file(path), path).at("cases");
}

void expect_variant(const std::string& name) {
  int found = 0;
  for (const Json& stored : read_cases()) {
    if (stored.at("name") != name) continue;
    ++found;
    const auto config = model::parse_model_config(stored.at("model_cfg"), name, "variants.json");
    ThreadPool pool;
    const auto tensors = testing::synthetic_weights(config, pool);
    EXPECT_EQ(tensors.size(), stored.at("tensors").get<size_t>());
    infer::Clip clip(config, tensors, pool);
    const auto h = config.image_height;
    const auto w = config.image_width;
    const auto pixels = testing::synthetic_picture(h, w);
    std::vector<float> x(static_cast<size_t>(config.embed_dim));
    clip.embed_images({pixels.data(), 1, h, w}, x.data(), false);
    const auto want = stored.at("features").get<std::vector<double>>();
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(x[i], want[i], kTolerance) << i;
    const double norm = std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
    EXPECT_NEAR(norm, stored.at("norm").get<double>(), kTolerance);
  }
  EXPECT_EQ(found, 1) << name;
}

TEST(TimmVariants, AttoWithMlpHeadEqualsStoredFeatures) { expect_variant("convnext_atto"); }
TEST(TimmVariants, TieredStemEqualsStoredFeatures) { expect_variant("convnext_femto_ols"); }
TEST(TimmVariants, OverlappingStemEqualsStoredFeatures) { expect_variant("convnext_nano_ols"); }
TEST(TimmVariants, HeadNormFirstEqualsStoredFeatures) { expect_variant("convnext_tiny_hnf"); }
TEST(TimmVariants, NoHeadEqualsStoredFeatures) { expect_variant("convnext_tiny"); }
TEST(VitVariants, LayerScaleEqualsStoredFeatures) { expect_variant("vit_layer_scale"); }
TEST(SlowTimmVariants, PreLogitsEqualStoredFeatures) { expect_variant("convnext_large_mlp"); }

}  // namespace
}  // namespace clipnext

#include "run/augment_config.h"

#include <gtest/gtest.h>

#include "run/fixtures_test.h"
#include "run/parse_options.h"

namespace clipnext::run {
namespace {

struct Result {
  image::AugmentConfig config;
  std::vector<std::string> warnings;
};

Result config_of(const std::vector<std::string>& pairs, const std::string& interpolation = "") {
  TrainOptions options;
  options.aug_cfg = parse_key_values(pairs);
  if (!interpolation.empty()) options.image_interpolation = interpolation;
  Result result;
  result.config = augment_config(options, &result.warnings).value();
  return result;
}

TEST(AugmentConfig, DefaultsAreTheReferences) {
  const Result result = config_of({});
  EXPECT_EQ(result.config, image::AugmentConfig());
  EXPECT_TRUE(result.warnings.empty());
}

TEST(AugmentConfig, TheHeadlineRecipesIsTimms) {
  const Result result = config_of({"use_timm=True", "scale=(0.5, 1.0)", "re_prob=0.4"}, "random");
  EXPECT_TRUE(result.config.use_timm);
  EXPECT_EQ(result.config.scale, (std::array<double, 2>{0.5, 1.0}));
  EXPECT_EQ(result.config.re_prob, 0.4);
  EXPECT_EQ(result.config.filter, image::CropFilter::kRandom);
  EXPECT_TRUE(result.warnings.empty());
}

TEST(AugmentConfig, JitterIsANumberOrThreeOrFourWithTimm) {
  using Four = std::array<double, 4>;
  EXPECT_EQ(config_of({"use_timm=True", "color_jitter=0.4"}).config.color_jitter,
            (Four{0.4, 0.4, 0.4, 0}));
  EXPECT_EQ(config_of({"use_timm=True", "color_jitter=(0.1,0.2,0.3)"}).config.color_jitter,
            (Four{0.1, 0.2, 0.3, 0}));
  EXPECT_EQ(config_of({"use_timm=True", "color_jitter=(0.1,0.2,0.3,0.4)"}).config.color_jitter,
            (Four{0.1, 0.2, 0.3, 0.4}));
  EXPECT_THROW(config_of({"use_timm=True", "color_jitter=(0.1,0.2)"}), UsageError);
}

TEST(AugmentConfig, WithoutTimmColoursNeedAProbability) {
  const Result with = config_of(
      {"color_jitter=(0.3, 0.3, 0.3, 0.08)", "color_jitter_prob=0.6", "gray_scale_prob=0.15"});
  EXPECT_EQ(with.config.color_jitter_prob, 0.6);
  EXPECT_EQ(with.config.gray_scale_prob, 0.15);
  EXPECT_TRUE(with.config.color_jitter.has_value());
  const Result without = config_of({"color_jitter=0.4"});
  EXPECT_FALSE(without.config.color_jitter.has_value());
  ASSERT_EQ(without.warnings.size(), 1U);
  EXPECT_THROW(config_of({"color_jitter=0.4", "color_jitter_prob=0.5"}), UsageError);
}

TEST(AugmentConfig, KeysOfTheOtherPathAreNamed) {
  const Result plain = config_of({"re_prob=0.4", "re_count=2", "ratio=(1, 2)"}, "random");
  EXPECT_EQ(plain.warnings.size(), 3U);
  EXPECT_EQ(plain.config, image::AugmentConfig());
  EXPECT_EQ(config_of({"use_timm=True", "gray_scale_prob=0.1"}).warnings.size(), 1U);
  EXPECT_EQ(config_of({"use_timm=True", "interpolation=random"}).config.filter,
            image::CropFilter::kRandom);
}

TEST(AugmentConfig, ValuesThatThereAreNotAreRefused) {
  for (const char* bad : {"scale=(0, 1)", "scale=(0.9, 0.5)", "scale=(0.5, 1.5)", "scale=0.5",
                          "re_prob=2", "re_count=0", "use_timm=maybe", "interpolation=nearest",
                          "color_jitter=-1", "color_jitter=(0,0,0,0.6)"}) {
    EXPECT_THROW(config_of({"use_timm=True", bad}), UsageError) << bad;
  }
}

TEST(AugmentConfig, NoAugmentIsTheEvaluationTransform) {
  TrainOptions options;
  options.no_augment = true;
  EXPECT_EQ(augment_config(options), std::nullopt);
}

}  // namespace
}  // namespace clipnext::run

#include "eval/diagnose.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"

namespace clipnext::eval {
namespace {

// A 2 x 1 BMP: one white pixel, one black.
pipeline::ImageSource two_pixels() {
  std::string bmp = {'B', 'M'};
  const auto put = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bmp += static_cast<char>(value >> (8 * i));
  };
  for (const uint32_t value : {62U, 0U, 54U, 40U, 2U, 1U}) put(value, 4);
  put(1, 2);
  put(24, 2);
  for (const uint32_t value : {0U, 8U, 0U, 0U, 0U, 0U}) put(value, 4);
  bmp += std::string(3, '\xff') + std::string(5, '\0');
  return {.name = "two.bmp", .bytes = std::make_shared<const std::string>(bmp)};
}

/// What a fake vector says of the set-up it was made with: [mean, quick GELU, first pixel].
class FakeEmbedder final : public model::Embedder {
 public:
  explicit FakeEmbedder(model::ClipConfig config) : config_(std::move(config)) {}
  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override { return 1; }
  float logit_bias() const override { return 0; }
  void embed_images(const model::PixelBatch& pixels, float* out, bool) override {
    for (int64_t i = 0; i < pixels.n; ++i) {
      out[3 * i] = config_.preprocess.mean[0];
      out[3 * i + 1] = 0;
      out[3 * i + 2] = pixels.pixels[i * pixels.h * pixels.w * 3];
    }
  }
  void embed_texts(const model::TokenRows&, float*, bool) override {}

 private:
  model::ClipConfig config_;
};

/// What is seen by the score of a trial.
struct Seen {
  float mean = 0, quick = 0, pixel = 0, templates = 0;
};

MissedFigure missed_by(const std::function<double(const Seen&)>& score) {
  MissedFigure missed;
  missed.config.embed_dim = 3;
  missed.config.preprocess.height = missed.config.preprocess.width = 4;
  missed.make_embedder = [](const model::ClipConfig& config) {
    return std::make_unique<FakeEmbedder>(config);
  };
  missed.images = {two_pixels()};
  missed.images_in_all = 1;
  missed.prompts.templates = {"a {c}"};
  missed.other_prompts = {{"two", {.templates = {"a {c}", "b {c}"}}}, {"one", missed.prompts}};
  missed.classes = 1;
  missed.embed_texts = [](model::Embedder& embedder, const datasets::Prompts& prompts) {
    const bool quick = embedder.config().text.activation == model::Activation::kQuickGelu;
    return std::vector<float>{quick ? 1.0f : 0.0f, static_cast<float>(prompts.templates.size())};
  };
  missed.score = [score](std::span<const float> images, std::span<const float> texts) {
    return score({.mean = images[0], .quick = texts[0], .pixel = images[2], .templates = texts[1]});
  };
  missed.measured = 0.5;
  missed.expected = 0.8;
  missed.tolerance = 0.01;
  return missed;
}

TEST(Diagnosis, NamesTheChangeThatReachesTheFigureFirst) {
  ThreadPool pool(1);
  const MissedFigure missed = missed_by([](const Seen& seen) {
    return 0.1 + (seen.templates == 2 ? 0.3 : 0) + (seen.quick > 0 ? 0.2 : 0) +
           (seen.mean == 0.5f ? -0.2 : 0);
  });
  const Diagnosis diagnosis = diagnose(missed, pool);
  ASSERT_EQ(diagnosis.suspects.size(), 2U) << diagnosis_text(diagnosis, missed);
  EXPECT_EQ(diagnosis.suspects[0].what, "prompts: two");
  EXPECT_TRUE(diagnosis.suspects[0].reaches);
  EXPECT_NEAR(diagnosis.suspects[0].figure, 0.8, 1e-9);
  EXPECT_EQ(diagnosis.suspects[1].what, "QuickGELU instead of GELU");
  EXPECT_FALSE(diagnosis.suspects[1].reaches);
  EXPECT_EQ(diagnosis_json(diagnosis)["suspects"][0]["reaches"], true);
  EXPECT_NE(
      diagnosis_text(diagnosis, missed).find("1. prompts: two: 0.8000, which is the expected"),
      std::string::npos);
}

TEST(Diagnosis, TriesResizeModesAndNormalizations) {
  ThreadPool pool(1);
  // Squashed it begins white, cropped to its middle less so, padded it begins black.
  const auto first_pixel = [](image::ResizeMode mode) {
    image::PreprocessConfig config{.height = 4, .width = 4, .resize_mode = mode};
    const auto picture = pipeline::load_image(two_pixels());
    return pipeline::preprocess(picture, config, pipeline::ConvertOrder::kFirst).data[0];
  };
  const auto cropped = first_pixel(image::ResizeMode::kShortest);
  ASSERT_NE(cropped, first_pixel(image::ResizeMode::kSquash));
  const auto wanted = first_pixel(image::ResizeMode::kSquash);
  const Diagnosis resized =
      diagnose(missed_by([&](const Seen& seen) { return seen.pixel == wanted ? 0.8 : 0.5; }), pool);
  ASSERT_FALSE(resized.suspects.empty());
  EXPECT_NE(resized.suspects[0].what.find("squash"), std::string::npos) << resized.suspects[0].what;
  const Diagnosis shifted =
      diagnose(missed_by([](const Seen& seen) { return seen.mean == 0.485f ? 0.8 : 0.5; }), pool);
  ASSERT_EQ(shifted.suspects.size(), 1U);
  EXPECT_EQ(shifted.suspects[0].what, "ImageNet's mean and std");
}

TEST(Diagnosis, SaysSoWhenNothingHelps) {
  ThreadPool pool(1);
  const MissedFigure missed = missed_by([](const Seen&) { return 0.5; });
  const Diagnosis diagnosis = diagnose(missed, pool);
  EXPECT_TRUE(diagnosis.suspects.empty());
  EXPECT_NE(diagnosis_text(diagnosis, missed).find("none of the usual changes"), std::string::npos);
}

TEST(Diagnosis, ReportsWhatItCannotTry) {
  ThreadPool pool(1);
  MissedFigure missed = missed_by([](const Seen& seen) { return 0.1 * seen.templates; });
  missed.make_embedder = [](const model::ClipConfig& config) {
    require(config.preprocess == image::PreprocessConfig{.height = 4, .width = 4} &&
                config.text.activation == model::Activation::kGelu,
            "a packed file");
    return std::make_unique<FakeEmbedder>(config);
  };
  const Diagnosis diagnosis = diagnose(missed, pool);
  EXPECT_EQ(diagnosis.untried.size(), 3U);  // two normalisations, the activation
  ASSERT_EQ(diagnosis.suspects.size(), 1U);
  EXPECT_EQ(diagnosis.suspects[0].what, "prompts: two");
}

TEST(Diagnosis, ThinsLongListsOfPrompts) {
  ThreadPool pool(1);
  MissedFigure missed = missed_by([](const Seen& seen) { return 0.01 * seen.templates; });
  missed.other_prompts = {{"many", {.templates = std::vector<std::string>(80, "a {c}")}}};
  missed.classes = 10;
  missed.most_prompts = 200;
  const Diagnosis diagnosis = diagnose(missed, pool);
  ASSERT_EQ(diagnosis.suspects.size(), 1U);
  EXPECT_NEAR(diagnosis.suspects[0].figure, 0.5 + 0.19, 1e-6);  // 20 of them instead of 1
}

TEST(Diagnosis, OfAPartAllowsForItsNoise) {
  ThreadPool pool(1);
  MissedFigure missed =
      missed_by([](const Seen& seen) { return seen.templates == 2 ? 0.75 : 0.5; });
  EXPECT_FALSE(diagnose(missed, pool).suspects[0].reaches);
  missed.images.resize(100, two_pixels());
  missed.images_in_all = 10'000;
  EXPECT_TRUE(diagnose(missed, pool).suspects[0].reaches);
}

TEST(Diagnosis, SpreadsEvenly) {
  EXPECT_EQ(spread(10, 5), (std::vector<int64_t>{1, 3, 5, 7, 9}));
  EXPECT_EQ(spread(3, 5), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_TRUE(spread(0, 5).empty());
}

TEST(Diagnosis, SeesWhatIsOddAboutASet) {
  datasets::Dataset set;
  set.classes = std::vector<std::string>(10, "x");
  set.prompts.templates = {"{c}"};
  for (int64_t i = 0; i < 20; ++i) {
    set.images.push_back({.name = std::to_string(i)});
    set.labels.push_back(i % 10);
  }
  const KnownCounts known{.images = 20, .classes = 10, .templates = 1};
  EXPECT_TRUE(odd_facts(set, known, 0.5, 0.6).empty());
  const auto guessing = odd_facts(set, known, 0.1, 0.6);
  ASSERT_EQ(guessing.size(), 1U);
  EXPECT_NE(guessing[0].find("order"), std::string::npos);
  set.labels[3] = 4;
  set.labels[13] = 4;
  set.images[7].name = "8";
  const auto facts = odd_facts(set, {.images = 21, .classes = 11, .templates = 2}, 0.5, 0.6);
  ASSERT_EQ(facts.size(), 5U);
  EXPECT_NE(facts[0].find("20 images, the published one 21"), std::string::npos);
  EXPECT_NE(facts[3].find("1 of 10 classes"), std::string::npos);
  EXPECT_NE(facts[4].find("1 images are listed more than once"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::eval

#include "eval/zero_shot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "datasets/wds.h"
#include "pipeline/embed_texts.h"

namespace clipnext::eval {
namespace {

// Embeds a text as its token count and last content token, an image as its first pixel: enough to
// tell inputs apart by hand.
class FakeEmbedder final : public model::Embedder {
 public:
  FakeEmbedder() {
    config_.embed_dim = 2;
    config_.preprocess.width = config_.preprocess.height = 2;
  }
  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override { return 10.0f; }
  float logit_bias() const override { return 0.0f; }
  void embed_images(const model::PixelBatch& pixels, float* out, bool) override {
    for (int64_t i = 0; i < pixels.n; ++i) {
      const double angle = pixels.pixels[i * pixels.h * pixels.w * 3] / 255.0;
      out[2 * i] = static_cast<float>(std::cos(angle));
      out[2 * i + 1] = static_cast<float>(std::sin(angle));
    }
  }
  void embed_texts(const model::TokenRows& tokens, float* out, bool) override {
    for (int64_t i = 0; i < tokens.size(); ++i) {
      const double angle = 0.1 * static_cast<double>(tokens.row(i).size());
      out[2 * i] = static_cast<float>(std::cos(angle));
      out[2 * i + 1] = static_cast<float>(std::sin(angle));
    }
  }

 private:
  model::ClipConfig config_;
};

TEST(FillTemplate, IsPythonsFormatWithOneField) {
  EXPECT_EQ(fill_template("a {c} or {c}", "cat"), "a cat or cat");
  EXPECT_EQ(fill_template("{c}", "{c}"), "{c}");
  EXPECT_EQ(fill_template("{c} shapes.", ""), " shapes.");
  EXPECT_EQ(fill_template("{{c}} {{{c}}} }}{{", "cat"), "{c} {cat} }{");
  EXPECT_EQ(fill_template("a photo", "cat"), "a photo");
  for (const char* bad : {"{}", "{d}", "{c", "c}", "{0}", "{c!r}", "{c:>3}", "{ c}", "{", "}"}) {
    EXPECT_THROW(fill_template(bad, "cat"), Error) << bad;
  }
}

TEST(FillTemplate, EmptyBracesAreNamedForPeople) {
  EXPECT_EQ(name_field("a {} or {c}"), "a {c} or {c}");
  EXPECT_EQ(name_field("{{}} {}"), "{{}} {c}");
  EXPECT_THROW(name_field("a photo"), Error);
  EXPECT_THROW(name_field("{{c}} {{}}"), Error);
}

TEST(Classifier, IsTheNormalisedMeanOverTemplates) {
  FakeEmbedder embedder;
  const text::Tokenizer tokenizer;
  const std::vector<std::string> templates = {"{c}", "a photo of a {c}"};
  const Classifier classifier = make_classifier(embedder, tokenizer, {"cat", "dog"}, templates);
  // 3 tokens (0.3 rad) and 7 tokens (0.7 rad): their mean points to 0.5 rad.
  ASSERT_EQ(classifier.vectors.size(), 4U);
  EXPECT_NEAR(classifier.vectors[0], std::cos(0.5), 1e-6);
  EXPECT_NEAR(classifier.vectors[1], std::sin(0.5), 1e-6);
  EXPECT_EQ(classifier.scale, 10.0f);
}

TEST(Classifier, NeedsLabelsAndTemplates) {
  FakeEmbedder embedder;
  const text::Tokenizer tokenizer;
  const std::vector<std::string> one = {"{c}"};
  EXPECT_THROW(make_classifier(embedder, tokenizer, {}, one), Error);
  EXPECT_THROW(make_classifier(embedder, tokenizer, {"cat"}, std::span<const std::string>{}),
               Error);
}

Classifier two_axes() {
  return {.labels = {"x", "y", "x again"},
          .vectors = {1, 0, 0, 1, 1, 0},
          .dim = 2,
          .scale = 2.0f,
          .bias = -1.0f};
}

TEST(Classifier, PredictsTheSoftmaxOfScaledCosines) {
  const std::vector<float> image = {0.6f, 0.8f};
  const std::vector<Prediction> all = two_axes().predict(image, 3);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].label, 1);
  EXPECT_NEAR(all[0].similarity, 0.8, 1e-7);
  const double sum = std::exp(1.6) + 2 * std::exp(1.2);
  EXPECT_NEAR(all[0].probability, std::exp(1.6) / sum, 1e-7);
  EXPECT_NEAR(all[1].probability, std::exp(1.2) / sum, 1e-7);
}

TEST(Classifier, KeepsLabelOrderAmongEqualsAndCutsToK) {
  const std::vector<float> image = {1, 0};
  const std::vector<Prediction> two = two_axes().predict(image, 2);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].label, 0);
  EXPECT_EQ(two[1].label, 2);
  EXPECT_EQ(two_axes().predict(image, 99).size(), 3U);
}

TEST(Classifier, SoftmaxSurvivesLargeScales) {
  Classifier classifier = two_axes();
  classifier.scale = 1e4f;
  const std::vector<float> image = {0, 1};
  EXPECT_EQ(classifier.predict(image, 1)[0].probability, 1.0);
}

TEST(Accuracy, CountsRanks) {
  FakeEmbedder embedder;
  ThreadPool pool(2);
  const datasets::Dataset set =
      datasets::read_wds_folder(std::string(CLIPNEXT_SOURCE_DIR) + "/examples/emoji/unseen");
  // One label that every picture is nearest to: right for exactly the pictures of that class.
  Classifier classifier;
  classifier.dim = 2;
  classifier.labels = set.classes;
  for (size_t i = 0; i < set.classes.size(); ++i) {
    const bool chosen = static_cast<int64_t>(i) == set.labels[3];
    classifier.vectors.insert(classifier.vectors.end(), {chosen ? 1.0f : -1.0f, 0.0f});
  }
  int64_t expected = 0;
  for (const int64_t label : set.labels) expected += label == set.labels[3] ? 1 : 0;
  const Accuracy accuracy = measure(embedder, pool, classifier, set);
  EXPECT_EQ(accuracy.images, 109);
  EXPECT_EQ(accuracy.top1, expected);
  EXPECT_GE(accuracy.top5, accuracy.top1);
  datasets::Dataset unlabelled = set;
  unlabelled.kind = datasets::Kind::kRetrieval;
  EXPECT_THROW(measure(embedder, pool, classifier, unlabelled), Error);
}

}  // namespace
}  // namespace clipnext::eval

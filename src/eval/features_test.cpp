#include "eval/features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "image/encode.h"
#include "image/image.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

/// A picture's vector is its first pixel and how many pictures were seen before it.
class CountingEmbedder final : public model::Embedder {
 public:
  CountingEmbedder() { config_.embed_dim = 2; }
  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override { return 1; }
  float logit_bias() const override { return 0; }
  void embed_images(const model::PixelBatch& batch, float* out, bool) override {
    require(seen < stop_at, "killed");
    for (int64_t i = 0; i < batch.n; ++i) {
      out[2 * i] = batch.pixels[i * batch.h * batch.w * 3];
      out[2 * i + 1] = static_cast<float>(seen++);
    }
  }
  void embed_texts(const model::TokenRows& rows, float* out, bool) override {
    for (int64_t i = 0; i < rows.size(); ++i) {
      out[2 * i] = static_cast<float>(rows.row(i).size());
      out[2 * i + 1] = static_cast<float>(texts++);
    }
  }
  std::string image_identity() override { return identity; }
  std::string text_identity() override { return identity; }

  int seen = 0;
  int stop_at = 1'000'000;
  int texts = 0;
  std::string identity = "one";

 private:
  model::ClipConfig config_;
};

class ImageFeatures : public testing::Test {
 protected:
  ImageFeatures() {
    for (uint8_t shade = 10; shade < 15; ++shade) {
      image::Image image = image::make_image(image::Mode::kRgb, 4, 4);
      std::fill(image.data.begin(), image.data.end(), shade);
      images_.push_back({.name = "p" + std::to_string(shade),
                         .bytes = std::make_shared<const std::string>(
                             image::encode(image, image::Encoding::kPng, "p"))});
    }
  }
  Features embed(bool keep, pipeline::OnBad on_bad = pipeline::OnBad::kFail) {
    return image_features(embedder_, pool_, images_, {.on_bad = on_bad},
                          {.folder = folder_, .name = "test", .keep = keep}, true);
  }

  const TestFolder temporary_;
  const fs::path folder_ = temporary_ / "features";
  CountingEmbedder embedder_;
  ThreadPool pool_{1};
  std::vector<pipeline::ImageSource> images_;
};

TEST_F(ImageFeatures, AreComputedOnceWhereTheyAreKept) {
  const Features first = embed(true);
  EXPECT_EQ(first.good, (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(first.vectors[2], 11);
  EXPECT_FALSE(first.from_disk);
  const Features again = embed(true);
  EXPECT_TRUE(again.from_disk);
  EXPECT_EQ(again.vectors, first.vectors);
  EXPECT_EQ(embedder_.seen, 5);

  embedder_.identity = "two";
  embed(true);
  EXPECT_EQ(embedder_.seen, 10);
  images_[1].crop = pipeline::CropBox{.left = 0, .top = 0, .right = 2, .bottom = 2};
  embed(true);
  EXPECT_EQ(embedder_.seen, 15);
  images_.pop_back();
  embed(true);
  EXPECT_EQ(embedder_.seen, 19);
}

TEST_F(ImageFeatures, GoOnBehindTheLastOfAKilledRun) {
  const auto five = images_;
  while (images_.size() < 100) images_.push_back(five[images_.size() % five.size()]);
  images_[90].bytes = std::make_shared<const std::string>("no picture");
  embedder_.stop_at = 30;
  EXPECT_THROW(embed(false, pipeline::OnBad::kSkip), Error);
  const int before = embedder_.seen;
  EXPECT_GE(before, 30);
  EXPECT_LT(before, 90);

  embedder_.stop_at = 1'000'000;
  const Features features = embed(false, pipeline::OnBad::kSkip);
  EXPECT_EQ(embedder_.seen, 99) << "no picture was embedded twice";
  ASSERT_EQ(features.good.size(), 99U);
  for (size_t i = 0; i < 99; ++i) {
    EXPECT_EQ(features.vectors[2 * i], static_cast<float>(10 + features.good[i] % 5));
  }
  ASSERT_EQ(features.bad.size(), 1U);
  EXPECT_EQ(features.bad[0].index, 90);
}

TEST_F(ImageFeatures, LeaveNothingBehindOtherwise) {
  embed(false);
  embed(false);
  EXPECT_EQ(embedder_.seen, 10);
  EXPECT_TRUE(!fs::exists(folder_) || fs::is_empty(folder_));
}

TEST_F(ImageFeatures, OldRemainsOfOthersAreRemoved) {
  fs::create_directories(folder_);
  write_file(folder_ / "features_x.part", "left behind");
  write_file(folder_ / "features_y.part", "going on");
  fs::last_write_time(folder_ / "features_x.part",
                      fs::file_time_type::clock::now() - std::chrono::hours(24 * 31));
  embed(false);
  EXPECT_FALSE(fs::exists(folder_ / "features_x.part"));
  EXPECT_TRUE(fs::exists(folder_ / "features_y.part"));
}

TEST_F(ImageFeatures, OfBadPicturesAreLeftOutAlsoWhenReadBack) {
  images_[2].bytes = std::make_shared<const std::string>("no picture");
  EXPECT_THROW(embed(true), Error);
  for (int i = 0; i < 2; ++i) {
    const Features features = embed(true, pipeline::OnBad::kSkip);
    EXPECT_EQ(features.good, (std::vector<int64_t>{0, 1, 3, 4}));
    ASSERT_EQ(features.bad.size(), 1U);
    EXPECT_EQ(features.bad[0].index, 2);
    EXPECT_NE(features.bad[0].reason.find("p12"), std::string::npos);
    EXPECT_EQ(features.vectors.size(), 8U);
  }
  EXPECT_THROW(embed(true), Error) << "a skipped picture is none that can be read";
}

TEST_F(ImageFeatures, TextsAreComputedOnceToo) {
  const text::Tokenizer tokenizer;
  const std::vector<std::string> texts(1500, "a cat");
  const auto embed_them = [&] {
    return text_features(embedder_, tokenizer, texts,
                         {.folder = folder_, .name = "texts", .keep = true}, true);
  };
  const std::vector<float> first = embed_them();
  ASSERT_EQ(first.size(), 3000U);
  EXPECT_EQ(first[0], 4) << "start, a, cat, end";
  const int computed = embedder_.texts;
  EXPECT_EQ(embed_them(), first);
  EXPECT_EQ(embedder_.texts, computed);
}

}  // namespace
}  // namespace clipnext::eval

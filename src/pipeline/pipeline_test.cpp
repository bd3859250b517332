#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "image/preprocess.h"
#include "pipeline/embed_images.h"
#include "pipeline/embed_texts.h"

namespace clipnext::pipeline {
namespace {

// An image's vector is its first byte, a text's its number of tokens; batch sizes are recorded.
class FakeEmbedder final : public model::Embedder {
 public:
  FakeEmbedder() {
    config_.embed_dim = 1;
    config_.preprocess.width = config_.preprocess.height = 8;
  }
  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override { return 1.0f; }
  float logit_bias() const override { return 0.0f; }
  void embed_images(const model::PixelBatch& pixels, float* out, bool) override {
    batches.push_back(pixels.n);
    if (computing) computing();
    for (int64_t i = 0; i < pixels.n; ++i) out[i] = pixels.pixels[i * pixels.h * pixels.w * 3];
  }
  void embed_texts(const model::TokenRows& tokens, float* out, bool) override {
    batches.push_back(tokens.size());
    for (int64_t i = 0; i < tokens.size(); ++i) out[i] = static_cast<float>(tokens.row(i).size());
  }

  int64_t batch_factor() const override { return factor; }

  int64_t factor = 1;
  std::vector<int64_t> batches;
  std::function<void()> computing;  // called while a batch of images is computed

 private:
  model::ClipConfig config_;
};

// A 1x1 24-bit BMP of one grey level.
ImageSource bmp(uint8_t level) {
  std::string file(58, '\0');
  const auto put = [&](size_t at, uint32_t value) { std::memcpy(&file[at], &value, 4); };
  file[0] = 'B';
  file[1] = 'M';
  put(2, 58);
  put(10, 54);
  put(14, 40);
  put(18, 1);
  put(22, 1);
  file[26] = 1;
  file[28] = 24;
  for (size_t i = 54; i < 57; ++i) file[i] = static_cast<char>(level);
  return {.name = "level " + std::to_string(level),
          .bytes = std::make_shared<const std::string>(std::move(file))};
}

ImageSource broken(const std::string& name) {
  return {.name = name, .bytes = std::make_shared<const std::string>("no picture")};
}

TEST(EmbedImages, KeepsTheOrderAcrossBatches) {
  std::vector<ImageSource> sources;
  for (int i = 0; i < 150; ++i) sources.push_back(bmp(static_cast<uint8_t>(i)));
  for (const int threads : {1, 2, 3, 16}) {
    FakeEmbedder embedder;
    ThreadPool pool(threads);
    int64_t done = 0;
    const Embedded result =
        embed_images(embedder, pool, sources, {}, [&](int64_t n) { done += n; });
    EXPECT_EQ(done, 150);
    EXPECT_EQ(embedder.batches, (std::vector<int64_t>{50, 50, 50}));
    ASSERT_EQ(result.vectors.size(), 150U);
    for (size_t i = 0; i < 150; ++i) EXPECT_EQ(result.vectors[i], static_cast<float>(i));
  }
}

// A picture file that exists once somebody has begun to read it.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0); }

  [[nodiscard]] ImageSource source() const { return {.name = path_.string(), .bytes = nullptr}; }
  [[nodiscard]] bool is_being_read() const {
    const int fd = open_if_read();
    if (fd >= 0) close(fd);
    return fd >= 0;
  }
  /// Gives a reader the picture; false if there is none for ten seconds.
  [[nodiscard]] bool give(const ImageSource& picture) const {
    for (int attempt = 0; attempt < 1000; ++attempt) {
      if (const int fd = open_if_read(); fd >= 0) {
        const auto size = static_cast<ssize_t>(picture.bytes->size());
        const bool written = write(fd, picture.bytes->data(), picture.bytes->size()) == size;
        close(fd);
        return written;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    // A file instead, lest whoever reads it later waits for ever.
    std::filesystem::remove(path_);
    write_file(path_, *picture.bytes);
    return false;
  }

 private:
  [[nodiscard]] int open_if_read() const { return open(path_.c_str(), O_WRONLY | O_NONBLOCK); }
  const TestFolder temporary_;
  const std::filesystem::path path_ = temporary_ / "pipe";
};

TEST(EmbedImages, DecodesTheNextBatchAndNoMoreWhileOneIsComputed) {
  const Pipe second;  // the last picture of the second batch
  const Pipe third;   // the first of the third
  std::vector<ImageSource> sources(150, bmp(7));
  sources[99] = second.source();
  sources[100] = third.source();
  FakeEmbedder embedder;
  std::vector<bool> overlapped;
  bool too_early = true;
  embedder.computing = [&] {
    if (embedder.batches.size() == 1) {
      overlapped.push_back(second.give(bmp(8)));
      too_early = third.is_being_read();
    } else if (embedder.batches.size() == 2) {
      overlapped.push_back(third.give(bmp(9)));
    }
  };
  ThreadPool pool(2);
  const Embedded result = embed_images(embedder, pool, sources);
  EXPECT_EQ(overlapped, (std::vector<bool>{true, true}));
  EXPECT_FALSE(too_early);
  EXPECT_EQ(result.vectors[99], 8);
  EXPECT_EQ(result.vectors[100], 9);
}

TEST(EmbedImages, EndsWithWhatTheEmbedderThrows) {
  FakeEmbedder embedder;
  embedder.computing = [] { throw std::runtime_error("the tower"); };
  ThreadPool pool(3);
  const std::vector<ImageSource> sources(300, bmp(1));
  EXPECT_THROW(embed_images(embedder, pool, sources), std::runtime_error);
}

TEST(EmbedImages, MakesBatchesOfAboutTheSameSize) {
  FakeEmbedder embedder;
  ThreadPool pool(2);
  embed_images(embedder, pool, std::vector<ImageSource>(65, bmp(1)));
  EXPECT_EQ(embedder.batches, (std::vector<int64_t>{33, 32}));
  EXPECT_TRUE(embed_images(embedder, pool, {}).vectors.empty());
}

TEST(EmbedImages, GivesAnEmbedderThatWantsMoreMoreAtOnce) {
  FakeEmbedder embedder;
  embedder.factor = 2;
  ThreadPool pool(2);
  embed_images(embedder, pool, std::vector<ImageSource>(129, bmp(1)));
  EXPECT_EQ(embedder.batches, (std::vector<int64_t>{65, 64}));
}

TEST(EmbedImages, SkipsAndListsBadOnes) {
  FakeEmbedder embedder;
  ThreadPool pool(2);
  const std::vector<ImageSource> sources = {broken("first"), bmp(5), broken("third"), bmp(7)};
  const Embedded result = embed_images(embedder, pool, sources, {.on_bad = OnBad::kSkip});
  EXPECT_EQ(result.vectors, (std::vector<float>{5, 7}));
  EXPECT_EQ(result.good, (std::vector<int64_t>{1, 3}));
  ASSERT_EQ(result.bad.size(), 2U);
  EXPECT_EQ(result.bad[1].index, 2);
  EXPECT_EQ(result.bad[1].reason.find("third"), 0U) << result.bad[1].reason;
}

TEST(EmbedImages, FailsWithTheFirstBadOneInOrder) {
  FakeEmbedder embedder;
  ThreadPool pool(4);
  const std::vector<ImageSource> sources = {bmp(1), broken("second"), broken("third")};
  try {
    embed_images(embedder, pool, sources);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("second"), 0U) << error.what();
  }
}

TEST(Preprocess, ConvertsFirstOrLast) {
  // A palette picture is resized by nearest neighbour in its own mode, smoothly once it is RGB.
  image::Image picture;
  picture.mode = image::Mode::kP;
  picture.width = picture.height = 2;
  picture.data = {0, 1, 1, 0};
  picture.palette = {0, 0, 0, 255, 255, 255};
  image::PreprocessConfig config;
  config.width = config.height = 8;
  const auto levels = [&](ConvertOrder order) {
    std::vector<uint8_t> bytes = preprocess(picture, config, order).data;
    std::sort(bytes.begin(), bytes.end());
    bytes.erase(std::unique(bytes.begin(), bytes.end()), bytes.end());
    return bytes.size();
  };
  EXPECT_EQ(levels(ConvertOrder::kLast), 2U);
  EXPECT_GT(levels(ConvertOrder::kFirst), 2U);
}

TEST(EmbedTexts, KeepsTheOrderAcrossBatches) {
  FakeEmbedder embedder;
  const text::Tokenizer tokenizer;
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i)
    texts.push_back(std::string(static_cast<size_t>(i % 7) * 2, '!') + " cat " +
                    std::to_string(i * 7919 % 3000));
  std::vector<float> lengths;
  for (const std::string& text : texts) {
    model::TokenRows row;
    row.add(tokenizer.tokenize(text, embedder.config().text.context_length));
    lengths.push_back(static_cast<float>(row.row(0).size()));
  }
  int64_t done = 0;
  const Embedded result =
      embed_texts(embedder, tokenizer, texts, OnBad::kFail, [&](int64_t n) { done += n; });
  EXPECT_EQ(done, 3000);
  EXPECT_GT(embedder.batches.size(), 1U);
  EXPECT_EQ(result.vectors, lengths);
}

TEST(EmbedTexts, GivesAnEmbedderThatWantsMoreMoreAtOnce) {
  const text::Tokenizer tokenizer;
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) texts.push_back("cat " + std::to_string(i * 7919 % 3000));
  FakeEmbedder one, eight;
  eight.factor = 8;
  EXPECT_EQ(embed_texts(eight, tokenizer, texts).vectors,
            embed_texts(one, tokenizer, texts).vectors);
  EXPECT_LT(eight.batches.size(), one.batches.size());
}

TEST(EmbedTexts, EmbedsEqualTextsOnce) {
  FakeEmbedder embedder;
  const text::Tokenizer tokenizer;
  std::vector<std::string> texts(600, "a cat");
  texts[599] = "cat";
  const Embedded result = embed_texts(embedder, tokenizer, texts);
  EXPECT_EQ(embedder.batches, std::vector<int64_t>{2});
  ASSERT_EQ(result.vectors.size(), 600U);
  EXPECT_EQ(result.vectors[0], 4.0f);
  EXPECT_EQ(result.vectors[599], 3.0f);
}

TEST(EmbedTexts, NamesABadTextByItsPlace) {
  FakeEmbedder embedder;
  const text::Tokenizer tokenizer;
  const std::vector<std::string> texts = {"cat", "\xff", "dog"};
  EXPECT_THROW(embed_texts(embedder, tokenizer, texts), Error);
  const Embedded result = embed_texts(embedder, tokenizer, texts, OnBad::kSkip);
  EXPECT_EQ(result.good, (std::vector<int64_t>{0, 2}));
  ASSERT_EQ(result.bad.size(), 1U);
  EXPECT_EQ(result.bad[0].reason.find("text 2: "), 0U) << result.bad[0].reason;
}

// 3 x 2 pixels of grey, 1 to 6.
ImageSource small_grey(const CropBox& box) {
  return {.name = "grey",
          .bytes = std::make_shared<const std::string>("P5 3 2 255 \1\2\3\4\5\6"),
          .crop = box};
}

std::vector<uint8_t> first_channel(const image::Image& image) {
  std::vector<uint8_t> values;
  for (size_t i = 0; i < image.data.size(); i += 3) values.push_back(image.data[i]);
  return values;
}

TEST(LoadImage, CutsOutTheCropAsPillowDoes) {
  const image::Image inside =
      load_image(small_grey({.left = 1, .top = 0, .right = 3, .bottom = 2}));
  EXPECT_EQ(inside.mode, image::Mode::kRgb);
  EXPECT_EQ(inside.width, 2);
  EXPECT_EQ(first_channel(inside), (std::vector<uint8_t>{2, 3, 5, 6}));
  const image::Image around =
      load_image(small_grey({.left = -1, .top = 1, .right = 4, .bottom = 3}));
  EXPECT_EQ(first_channel(around), (std::vector<uint8_t>{0, 4, 5, 6, 0, 0, 0, 0, 0, 0}));
  const image::Image beside =
      load_image(small_grey({.left = 7, .top = 0, .right = 8, .bottom = 1}));
  EXPECT_EQ(first_channel(beside), std::vector<uint8_t>{0});
}

TEST(LoadImage, RefusesEmptyAndHugeCrops) {
  EXPECT_THROW(load_image(small_grey({.left = 2, .top = 0, .right = 2, .bottom = 1})), Error);
  EXPECT_THROW(load_image(small_grey({.left = 0, .top = 2, .right = 1, .bottom = 1})), Error);
  EXPECT_THROW(load_image(small_grey(
                   {.left = INT32_MIN, .top = INT32_MIN, .right = INT32_MAX, .bottom = INT32_MAX})),
               Error);
}

}  // namespace
}  // namespace clipnext::pipeline

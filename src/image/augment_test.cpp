// The whole training transform: its parts in their order, against torchvision's floats
// (tools/make_augment_fixtures.py) and against its own parts with the numbers drawn.
#include "image/augment.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "image/color_jitter.h"
#include "image/convert.h"
#include "image/random_crop.h"
#include "image/random_erasing.h"
#include "image/synthetic_test.h"

namespace clipnext::image {
namespace {

std::vector<float> augmented(const Image& source, const PreprocessConfig& preprocess,
                             const AugmentConfig& config, RandomStream random) {
  std::vector<float> out(size_t{3} * static_cast<size_t>(preprocess.height * preprocess.width));
  augment(source, preprocess, config, random, out.data());
  return out;
}

std::vector<float> normalized(const Image& rgb, const PreprocessConfig& config) {
  std::vector<float> out(rgb.data.size());
  normalize(rgb, config, out.data());
  return out;
}

Image part_of(const Image& source, const Region& part, int width, int height, Filter filter) {
  return resize(resize_region(source, source.width, source.height, filter, part), width, height,
                filter);
}

TEST(Augment, PartsTogetherAreTorchvisionsFloatsBitForBit) {
  const std::filesystem::path path = CLIPNEXT_SOURCE_DIR "/tests/data/image/augment.json";
  const Json rows = parse_json(read_file(path), path.string()).at("transforms");
  EXPECT_EQ(rows.size(), 40U);
  for (const Json& row : rows) {
    const auto number = [&](const char* name) { return row.at(name).get<int>(); };
    const Image source = synthetic_bytes(Mode::kRgb, number("width"), number("height"));
    const Region part{{number("left"), number("columns")}, {number("top"), number("rows")}};
    const Filter filter = row.at("filter") == "bicubic" ? Filter::kBicubic : Filter::kBilinear;
    Image image = part_of(source, part, number("out_width"), number("out_height"), filter);
    ColorJitter jitter;
    for (size_t i = 0; i < 4; ++i) {
      jitter.order[i] = static_cast<ColorJitter::Operation>(row.at("order").at(i).get<int>());
      jitter.factors[i] = row.at("factors").at(i).get<double>();
    }
    apply(jitter, image);
    if (row.at("grey").get<bool>()) to_grey(image);
    const std::vector<float> values = normalized(image, {});
    const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
    EXPECT_EQ(crc32_z(0, bytes, values.size() * sizeof(float)), row.at("crc").get<uint32_t>())
        << row;
  }
}

TEST(Augment, NormalizeHasTheValuesOfToTensor) {
  const Image rgb = synthetic_bytes(Mode::kRgb, 7, 5);
  const PreprocessConfig config{.mean = {0.5f, 0.4f, 0.1f}, .std = {0.2f, 0.3f, 0.7f}};
  std::vector<float> planes(rgb.data.size());
  to_tensor(rgb, config, planes.data());
  const std::vector<float> values = normalized(rgb, config);
  for (size_t i = 0; i < 35; ++i) {
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(values[3 * i + c], planes[35 * c + i]);
  }
}

const PreprocessConfig kSmall{.height = 24, .width = 32, .interpolation = Filter::kBilinear};

// open_clip's own path: crop, always bicubic, whatever the model's filter and the given ratio.
TEST(Augment, DefaultPathCropsBicubicAndNothingElse) {
  const Image source = synthetic_bytes(Mode::kRgb, 60, 50);
  AugmentConfig config{.scale = {0.3, 1.0}, .ratio = {1.0, 1.0}};
  config.color_jitter = {0.5, 0.5, 0.5, 0.5};  // without color_jitter_prob it does nothing
  config.re_prob = 1.0;
  config.filter = CropFilter::kRandom;
  for (uint64_t key = 0; key < 50; ++key) {
    RandomStream random(key);
    const Region part = draw_crop(60, 50, {0.3, 1.0}, {3.0 / 4, 4.0 / 3}, random);
    const Image expected = part_of(source, part, 32, 24, Filter::kBicubic);
    EXPECT_EQ(augmented(source, kSmall, config, RandomStream(key)), normalized(expected, kSmall));
  }
}

/// How many of `draws` results differ from those of `plain`.
int changed(const Image& source, const AugmentConfig& plain, const AugmentConfig& config,
            int draws) {
  int count = 0;
  for (int key = 0; key < draws; ++key) {
    const RandomStream random(static_cast<uint64_t>(key));
    count += augmented(source, kSmall, plain, random) != augmented(source, kSmall, config, random)
                 ? 1
                 : 0;
  }
  return count;
}

bool is_grey(const std::vector<float>& values) {
  const auto table = normalization_table(kSmall);
  for (size_t i = 0; i < values.size(); i += 3) {
    const auto level = std::find(table[0].begin(), table[0].end(), values[i]) - table[0].begin();
    for (size_t c = 1; c < 3; ++c) {
      if (values[i + c] != table[c][static_cast<size_t>(level)]) return false;
    }
  }
  return true;
}

TEST(Augment, JitterAndGreyHappenWithTheirProbabilities) {
  const Image source = synthetic_bytes(Mode::kRgb, 40, 30);
  constexpr int kDraws = 1000;
  AugmentConfig config{.color_jitter = {{0.4, 0.4, 0.4, 0.1}}, .color_jitter_prob = 0.8};
  // The standard deviation is 12.6.
  EXPECT_NEAR(changed(source, {}, config, kDraws), 800, 50);
  config = {.gray_scale_prob = 0.2};
  int grey = 0;
  for (uint64_t key = 0; key < kDraws; ++key) {
    grey += is_grey(augmented(source, kSmall, config, RandomStream(key))) ? 1 : 0;
  }
  EXPECT_NEAR(grey, 200, 50);
}

TEST(Augment, TimmPathAlwaysJittersAndKnowsNoGrey) {
  const Image source = synthetic_bytes(Mode::kRgb, 40, 30);
  AugmentConfig config{.color_jitter = {{0.4, 0.4, 0.4, 0.0}},
                       .color_jitter_prob = 0.0,
                       .gray_scale_prob = 1.0,
                       .use_timm = true};
  EXPECT_EQ(changed(source, {.use_timm = true}, config, 200), 200);
  EXPECT_FALSE(is_grey(augmented(source, kSmall, config, RandomStream(1))));
}

TEST(Augment, TimmPathTakesTheModelsFilterOrOneOfTwo) {
  const Image source = synthetic_bytes(Mode::kRgb, 60, 50);
  AugmentConfig config{.scale = {0.5, 1.0}, .ratio = {0.9, 1.1}, .use_timm = true};
  int bilinear = 0;
  constexpr int kDraws = 1000;
  for (uint64_t key = 0; key < kDraws; ++key) {
    RandomStream random(key);
    const Region part = draw_crop(60, 50, {0.5, 1.0}, {0.9, 1.1}, random);
    const auto linear = normalized(part_of(source, part, 32, 24, Filter::kBilinear), kSmall);
    const auto cubic = normalized(part_of(source, part, 32, 24, Filter::kBicubic), kSmall);
    ASSERT_NE(linear, cubic);
    config.filter = CropFilter::kModel;
    ASSERT_EQ(augmented(source, kSmall, config, RandomStream(key)), linear);
    config.filter = CropFilter::kRandom;
    const auto either = augmented(source, kSmall, config, RandomStream(key));
    ASSERT_TRUE(either == linear || either == cubic);
    bilinear += either == linear ? 1 : 0;
  }
  EXPECT_NEAR(bilinear, 500, 63);  // four standard deviations
}

TEST(Augment, TimmPathErasesAfterNormalising) {
  const Image source = synthetic_bytes(Mode::kRgb, 40, 30);
  const AugmentConfig plain{.use_timm = true};
  const AugmentConfig config{.re_prob = 1.0, .re_count = 2, .use_timm = true};
  size_t erased = 0, all = 0;
  for (uint64_t key = 0; key < 300; ++key) {
    RandomStream random(key);
    std::vector<float> expected(size_t{3} * 24 * 32);
    augment(source, kSmall, plain, random, expected.data());
    const auto boxes = draw_erasing(32, 24, 1.0, 2, random);
    for (const Region& box : boxes) erase(box, 32, random, expected.data());
    const auto values = augmented(source, kSmall, config, RandomStream(key));
    ASSERT_EQ(values, expected);
    const auto before = augmented(source, kSmall, plain, RandomStream(key));
    for (size_t i = 0; i < values.size(); ++i) erased += values[i] != before[i] ? 1 : 0;
    all += values.size();
  }
  // The mean area of a box is 0.177 over their number; two may overlap.
  EXPECT_NEAR(static_cast<double>(erased) / static_cast<double>(all), 0.17, 0.02);
}

TEST(Augment, ConvertsToRgbBeforeResizing) {
  Image palette = synthetic_bytes(Mode::kP, 33, 21);
  for (int entry = 0; entry < 768; ++entry) {
    palette.palette.push_back(static_cast<uint8_t>(entry * 7));
  }
  for (const Image& source :
       {palette, synthetic_bytes(Mode::kRgba, 33, 21), synthetic_bytes(Mode::kCmyk, 33, 21),
        synthetic_bytes(Mode::kL, 33, 21), synthetic_bytes(Mode::kI16, 33, 21)}) {
    EXPECT_EQ(augmented(source, kSmall, {}, RandomStream(1)),
              augmented(to_rgb(source), kSmall, {}, RandomStream(1)));
  }
}

TEST(Augment, TakesPicturesOfOnePixel) {
  Image dot = make_image(Mode::kRgb, 1, 1);
  dot.data = {10, 20, 30};
  const auto values = augmented(dot, kSmall, {}, RandomStream(1));
  const auto table = normalization_table(kSmall);
  EXPECT_EQ(values.front(), table[0][10]);
  EXPECT_EQ(values.back(), table[2][30]);
}

std::string complaint(const AugmentConfig& config) {
  try {
    check(config);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Augment, ChecksItsConfiguration) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(complaint({}), "");
  EXPECT_EQ(complaint({.scale = {0.33, 1.0}, .re_prob = 0.35, .use_timm = true}), "");
  EXPECT_NE(complaint({.scale = {0.9, 0.5}}).find("scale is (0.9, 0.5)"), std::string::npos);
  EXPECT_NE(complaint({.scale = {0.0, 0.5}}).find("scale"), std::string::npos);
  EXPECT_NE(complaint({.ratio = {kNan, 1.0}}).find("ratio"), std::string::npos);
  EXPECT_NE(complaint({.ratio = {1.0, INFINITY}}).find("ratio"), std::string::npos);
  EXPECT_NE(complaint({.re_prob = 1.5}).find("re_prob is 1.5"), std::string::npos);
  EXPECT_NE(complaint({.re_count = 0}).find("re_count is 0"), std::string::npos);
  EXPECT_NE(complaint({.gray_scale_prob = -0.1}).find("gray_scale_prob"), std::string::npos);
  EXPECT_NE(complaint({.color_jitter = {{1, 1, 1, 0.6}}}).find("hue"), std::string::npos);
  EXPECT_NE(complaint({.color_jitter = {{1, -1, 1, 0}}}).find("color_jitter"), std::string::npos);
  EXPECT_NE(complaint({.color_jitter_prob = 0.8}).find("no color_jitter"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::image

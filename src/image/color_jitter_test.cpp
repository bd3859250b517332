// Against torchvision on Pillow images (tools/make_augment_fixtures.py).
#include "image/color_jitter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "image/synthetic_test.h"

namespace clipnext::image {
namespace {

/// Every fourth level of each channel.
Image cube() {
  Image image = make_image(Mode::kRgb, 512, 512);
  for (size_t i = 0; i < size_t{512} * 512; ++i) {
    image.data[3 * i] = static_cast<uint8_t>((i >> 12) * 4 + 3);
    image.data[3 * i + 1] = static_cast<uint8_t>((i >> 6) % 64 * 4);
    image.data[3 * i + 2] = static_cast<uint8_t>(i % 64 * 4 + 1);
  }
  return image;
}

TEST(ColorJitter, OperationsAreTorchvisionsByteForByte) {
  const std::filesystem::path path = CLIPNEXT_SOURCE_DIR "/tests/data/image/augment.json";
  const Json rows = parse_json(read_file(path), path.string()).at("operations");
  const std::map<std::string, void (*)(Image&, double)> operations = {
      {"brightness", adjust_brightness},
      {"contrast", adjust_contrast},
      {"saturation", adjust_saturation},
      {"hue", adjust_hue},
      {"grey", [](Image& rgb, double) { to_grey(rgb); }}};
  EXPECT_EQ(rows.size(), 68U);
  for (const Json& row : rows) {
    Image image = row.at("picture") == "cube" ? cube() : synthetic_bytes(Mode::kRgb, 40, 30);
    operations.at(row.at("operation").get<std::string>())(image, row.at("factor").get<double>());
    EXPECT_EQ(crc_of(image), row.at("crc").get<uint32_t>()) << row;
  }
}

TEST(ColorJitter, AppliesInItsOrderWhatItHolds) {
  const Image before = synthetic_bytes(Mode::kRgb, 20, 10);
  Image expected = before;
  adjust_hue(expected, 0.2);
  adjust_brightness(expected, 1.5);
  Image image = before;
  apply({.order = {ColorJitter::kHue, ColorJitter::kContrast, ColorJitter::kSaturation,
                   ColorJitter::kBrightness},
         .factors = {1.5, std::nullopt, std::nullopt, 0.2}},
        image);
  EXPECT_EQ(image.data, expected.data);
  adjust_brightness(image = before, 1.5);
  adjust_hue(image, 0.2);
  EXPECT_NE(image.data, expected.data);
}

TEST(ColorJitter, DrawsEveryOrderAndUniformFactors) {
  RandomStream random(11);
  std::map<std::array<ColorJitter::Operation, 4>, int> orders;
  std::array<double, 4> least{9, 9, 9, 9}, most{-9, -9, -9, -9}, sum{};
  constexpr int kDraws = 24'000;
  for (int i = 0; i < kDraws; ++i) {
    const ColorJitter jitter = draw_color_jitter({0.4, 2.0, 0.1, 0.25}, random);
    ++orders[jitter.order];
    for (size_t j = 0; j < 4; ++j) {
      ASSERT_TRUE(jitter.factors[j].has_value());
      least[j] = std::min(least[j], *jitter.factors[j]);
      most[j] = std::max(most[j], *jitter.factors[j]);
      sum[j] += *jitter.factors[j];
    }
  }
  // 1000 expected of each order, standard deviation 31.
  EXPECT_EQ(orders.size(), 24U);
  for (const auto& [order, count] : orders) EXPECT_NEAR(count, 1000, 155);
  const std::array<double, 4> low = {0.6, 0.0, 0.9, -0.25}, high = {1.4, 3.0, 1.1, 0.25};
  for (size_t j = 0; j < 4; ++j) {
    const double width = high[j] - low[j];
    EXPECT_GE(least[j], low[j]);
    EXPECT_LE(most[j], high[j]);
    EXPECT_NEAR(least[j], low[j], 0.001 * width);
    EXPECT_NEAR(most[j], high[j], 0.001 * width);
    // The mean's standard deviation is 0.29 / 155 of the width.
    EXPECT_NEAR(sum[j] / kDraws, (low[j] + high[j]) / 2, 0.01 * width);
  }
}

TEST(ColorJitter, LimitsOfZeroLeaveOperationsOut) {
  RandomStream random(1);
  const ColorJitter jitter = draw_color_jitter({0.0, 0.3, 0.0, 0.0}, random);
  EXPECT_FALSE(jitter.factors[0] || jitter.factors[2] || jitter.factors[3]);
  EXPECT_TRUE(jitter.factors[1].has_value());
}

}  // namespace
}  // namespace clipnext::image

#include "image/convert.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace clipnext::image {
namespace {

template <class T>
std::vector<int> greys_of(Mode mode, const std::vector<T>& samples) {
  Image image = make_image(mode, static_cast<int64_t>(samples.size()), 1);
  std::memcpy(image.data.data(), samples.data(), image.data.size());
  const Image rgb = to_rgb(image);
  std::vector<int> greys;
  for (size_t i = 0; i < rgb.data.size(); i += 3) {
    EXPECT_EQ(rgb.data[i], rgb.data[i + 1]);
    EXPECT_EQ(rgb.data[i], rgb.data[i + 2]);
    greys.push_back(rgb.data[i]);
  }
  return greys;
}

TEST(ToRgb, SaturatesWideSamples) {
  EXPECT_EQ(greys_of<uint16_t>(Mode::kI16, {0, 255, 256, 65535}),
            (std::vector<int>{0, 255, 255, 255}));
  EXPECT_EQ(greys_of<int32_t>(Mode::kI, {-1, 7, 255, 256, INT32_MIN, INT32_MAX}),
            (std::vector<int>{0, 7, 255, 255, 0, 255}));
}

TEST(ToRgb, TruncatesFloatsAndTakesNanForBlack) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(greys_of<float>(Mode::kF, {-0.5f, 254.9f, 255.1f, kInfinity, -kInfinity,
                                       std::numeric_limits<float>::quiet_NaN()}),
            (std::vector<int>{0, 254, 255, 255, 0, 0}));
}

TEST(ToRgb, DropsAlphaWithoutCompositing) {
  Image image = make_image(Mode::kRgba, 1, 1);
  image.data = {10, 20, 30, 0};
  EXPECT_EQ(to_rgb(image).data, (std::vector<uint8_t>{10, 20, 30}));
  image = make_image(Mode::kLA, 1, 1);
  image.data = {40, 0};
  EXPECT_EQ(to_rgb(image).data, (std::vector<uint8_t>{40, 40, 40}));
}

TEST(ToRgb, MultipliesCmykAsPillowDoes) {
  Image image = make_image(Mode::kCmyk, 2, 1);
  image.data = {0, 128, 255, 0, 10, 20, 30, 100};
  // 155 - round(155 * 10 / 255) and so on
  EXPECT_EQ(to_rgb(image).data, (std::vector<uint8_t>{255, 127, 0, 149, 143, 137}));
}

TEST(ToRgb, ShowsIndicesBeyondThePaletteBlack) {
  Image image = make_image(Mode::kP, 2, 1);
  image.data = {0, 200};
  image.palette = {1, 2, 3};
  EXPECT_EQ(to_rgb(image).data, (std::vector<uint8_t>{1, 2, 3, 0, 0, 0}));
}

}  // namespace
}  // namespace clipnext::image

#include "image/encode.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "image/decode.h"
#include "image/synthetic_test.h"

namespace clipnext::image {
namespace {

Image back(const std::string& file) {
  return decode({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, "test");
}

TEST(Encode, WebpAndPngLoseNothing) {
  for (const auto& [width, height] : {std::pair{1, 1}, {7, 3}, {64, 65}, {257, 2}}) {
    const Image image = synthetic_bytes(Mode::kRgb, width, height);
    for (const Encoding encoding : {Encoding::kWebp, Encoding::kPng}) {
      const Image read = back(encode(image, encoding, "test"));
      EXPECT_EQ(read.mode, Mode::kRgb);
      EXPECT_EQ(read.width, width);
      EXPECT_EQ(read.height, height);
      EXPECT_TRUE(read.data == image.data) << width;
    }
  }
}

TEST(Encode, JpegIsClose) {
  Image image = make_image(Mode::kRgb, 40, 30);
  for (size_t i = 0; i < image.data.size(); ++i) {
    image.data[i] = static_cast<uint8_t>(i / 120 * 4 + i % 3 * 20);  // rows that grow lighter
  }
  const Image read = back(encode(image, Encoding::kJpeg, "test"));
  ASSERT_EQ(read.data.size(), image.data.size());
  for (size_t i = 0; i < image.data.size(); ++i) {
    EXPECT_NEAR(read.data[i], image.data[i], 8) << i;
  }
}

TEST(Encode, SaysWhatHasNoRoom) {
  const Image wide = make_image(Mode::kRgb, 16384, 1);
  try {
    encode(wide, Encoding::kWebp, "wide.tif");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("wide.tif: 16384 x 1 pixels"));
  }
  EXPECT_EQ(back(encode(wide, Encoding::kPng, "test")).width, 16384);
  EXPECT_THROW(encode(make_image(Mode::kRgb, 70'000, 1), Encoding::kJpeg, "test"), Error);
  EXPECT_THROW(encode(make_image(Mode::kL, 2, 2), Encoding::kPng, "test"), Error);
}

}  // namespace
}  // namespace clipnext::image

// CRCs of Pillow 13.0.0's Image.resize over images made by the formula.
#include "image/resize.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "base/random.h"
#include "image/resize_region.h"
#include "image/synthetic_test.h"

namespace clipnext::image {
namespace {

TEST(Resize, EqualsPillowWithLanczos) {
  const Image image = synthetic_bytes(Mode::kRgb, 640, 427);
  EXPECT_EQ(crc_of(resize(image, 320, 320, Filter::kLanczos)), 0x51c64351u);
  EXPECT_EQ(crc_of(resize(image, 1000, 300, Filter::kLanczos)), 0x3510b93au);
  EXPECT_EQ(crc_of(resize(image, 30, 400, Filter::kLanczos)), 0x947eaf24u);
}

TEST(Resize, EqualsPillowWhereTheVerticalPassComesFirst) {
  const Image image = synthetic_bytes(Mode::kRgba, 40, 300);
  EXPECT_EQ(crc_of(resize(image, 30, 200, Filter::kBilinear)), 0x2529901au);
  EXPECT_EQ(crc_of(resize(image, 30, 200, Filter::kBicubic)), 0xddde78b4u);
  EXPECT_EQ(crc_of(resize(image, 35, 60, Filter::kBicubic)), 0xa13315eau);
  EXPECT_EQ(crc_of(resize(image, 35, 60, Filter::kLanczos)), 0xd4ed3d64u);
}

TEST(Resize, KeepsHiddenColoursWhereNothingIsResized) {
  Image image = make_image(Mode::kRgba, 2, 1);
  image.data = {10, 20, 30, 0, 40, 50, 60, 255};
  EXPECT_EQ(resize(image, 2, 1, Filter::kBicubic).data, image.data);
  EXPECT_EQ(resize(image, 4, 1, Filter::kBicubic).data[0], 0);
}

TEST(ResizePart, IsResizeOfThePartAlone) {
  RandomStream random(2);
  for (const Mode mode : {Mode::kRgb, Mode::kRgba, Mode::kL}) {
    for (int i = 0; i < 300; ++i) {
      const Image image = synthetic_bytes(mode, static_cast<int>(1 + random.below(60)),
                                          static_cast<int>(1 + random.below(90)));
      Region part;
      part.columns.size = 1 + random.below(image.width);
      part.rows.size = 1 + random.below(image.height);
      part.columns.begin = random.below(image.width - part.columns.size + 1);
      part.rows.begin = random.below(image.height - part.rows.size + 1);
      // Sides that stay as they are take other ways.
      const bool same = random.below(4) == 0;
      const int width = static_cast<int>(same ? part.columns.size : 1 + random.below(50));
      const int height =
          static_cast<int>(random.below(4) == 0 ? part.rows.size : 1 + random.below(50));
      const Filter filter = random.below(2) == 0 ? Filter::kBilinear : Filter::kBicubic;
      const Image cut = resize_region(image, image.width, image.height, filter, part);
      EXPECT_EQ(resize_part(image, part, width, height, filter).data,
                resize(cut, width, height, filter).data)
          << image.width << "x" << image.height << " " << part.columns.begin << "+"
          << part.columns.size << " " << part.rows.begin << "+" << part.rows.size << " to " << width
          << "x" << height;
    }
  }
}

TEST(Resize, RefusesEmptyAndHugeSides) {
  const Image image = synthetic_bytes(Mode::kL, 4, 4);
  EXPECT_THROW(resize(image, 0, 4, Filter::kBicubic), Error);
  EXPECT_THROW(resize(image, 4, 65536, Filter::kBicubic), Error);
}

}  // namespace
}  // namespace clipnext::image

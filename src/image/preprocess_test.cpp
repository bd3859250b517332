// The golden rows: open_clip's transform on Pillow and torchvision over images made by a formula.
#include "image/preprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "image/synthetic_test.h"

namespace clipnext::image {
namespace {

template <class T>
void store(Image& image, size_t index, T value) {
  std::memcpy(&image.data[index * sizeof(T)], &value, sizeof(T));
}

Image synthetic_wide(Mode mode, int width, int height) {
  Image image = make_image(mode, width, height);
  size_t i = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x, ++i) {
      const int value = synthetic_sample(0, y, x);
      if (mode == Mode::kI) store<int32_t>(image, i, 3 * value);
      if (mode == Mode::kF) store<float>(image, i, 1.5f * static_cast<float>(value) - 20.0f);
    }
  }
  return image;
}

/// The formula's image: sample(channel, y, x), spread or thresholded as the mode needs.
Image synthetic(Mode mode, int width, int height) {
  if (sample_bytes(mode) > 1) return synthetic_wide(mode, width, height);
  Image image = synthetic_bytes(mode, width, height);
  if (mode == Mode::k1) {
    for (uint8_t& value : image.data) value = value > 127 ? 255 : 0;
  }
  if (mode != Mode::kP) return image;
  for (int entry = 0; entry < 256; ++entry) {
    image.palette.push_back(static_cast<uint8_t>(7 * entry % 256));
    image.palette.push_back(static_cast<uint8_t>((13 * entry + 50) % 256));
    image.palette.push_back(static_cast<uint8_t>(255 - entry));
  }
  return image;
}

using Pixel = std::array<int, 3>;

Pixel pixel(const Image& image, int y, int x) {
  const size_t at =
      3 * (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x));
  return {image.data[at], image.data[at + 1], image.data[at + 2]};
}

struct Golden {
  Mode mode;
  int width, height, target_height, target_width;
  ResizeMode resize_mode;
  Filter filter;
  uint32_t crc;
  int64_t sum;
  Pixel first, centre, last;
  double tensor_sum;
};

constexpr auto kShortest = ResizeMode::kShortest;
constexpr auto kSquash = ResizeMode::kSquash;
constexpr auto kLongest = ResizeMode::kLongest;
constexpr auto kCubic = Filter::kBicubic;
constexpr auto kLinear = Filter::kBilinear;

const Golden kGolden[] = {
    {Mode::kRgb,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0x5a8f8a5c,
     39157834,
     {62, 109, 133},
     {127, 57, 98},
     {46, 74, 111},
     57522.004723},
    {Mode::kRgb,
     427,
     640,
     320,
     320,
     kShortest,
     kCubic,
     0x1c41e801,
     39121460,
     {61, 106, 147},
     {131, 137, 88},
     {36, 73, 106},
     56982.883976},
    {Mode::kRgb,
     333,
     500,
     224,
     224,
     kShortest,
     kCubic,
     0xc32f740d,
     19153019,
     {130, 122, 167},
     {185, 210, 88},
     {85, 129, 166},
     27675.934030},
    {Mode::kRgb,
     100,
     75,
     320,
     320,
     kShortest,
     kCubic,
     0xa062b2b8,
     39268114,
     {91, 128, 165},
     {94, 147, 187},
     {109, 146, 189},
     59121.045023},
    {Mode::kRgb,
     320,
     320,
     320,
     320,
     kShortest,
     kCubic,
     0x75783742,
     39103546,
     {0, 37, 74},
     {185, 222, 3},
     {188, 225, 6},
     56722.116342},
    {Mode::kRgb,
     320,
     481,
     320,
     320,
     kShortest,
     kCubic,
     0x4d130a04,
     39082123,
     {80, 117, 154},
     {8, 45, 82},
     {186, 223, 4},
     56396.024761},
    {Mode::kRgb,
     321,
     320,
     320,
     320,
     kShortest,
     kCubic,
     0x75783742,
     39103546,
     {0, 37, 74},
     {185, 222, 3},
     {188, 225, 6},
     56722.116342},
    {Mode::kRgb,
     1999,
     1501,
     320,
     320,
     kShortest,
     kCubic,
     0xcf22db46,
     39168075,
     {126, 146, 151},
     {105, 133, 159},
     {185, 169, 115},
     57680.531280},
    {Mode::kRgb,
     640,
     427,
     320,
     320,
     kSquash,
     kCubic,
     0xe1ed0a9f,
     39175949,
     {19, 56, 93},
     {135, 59, 101},
     {104, 140, 149},
     57791.381879},
    {Mode::kRgb,
     640,
     427,
     320,
     320,
     kLongest,
     kCubic,
     0xd6c9f1fd,
     26198911,
     {0, 0, 0},
     {142, 100, 142},
     {0, 0, 0},
     -131785.853881},
    {Mode::kRgb,
     427,
     640,
     320,
     320,
     kLongest,
     kCubic,
     0xbadf164d,
     26176123,
     {0, 0, 0},
     {134, 145, 134},
     {0, 0, 0},
     -132121.529464},
    {Mode::kRgb,
     640,
     427,
     320,
     320,
     kShortest,
     kLinear,
     0xbcf010ee,
     39160121,
     {70, 107, 129},
     {131, 66, 103},
     {67, 77, 114},
     57556.401449},
    {Mode::kRgb,
     640,
     427,
     256,
     256,
     kSquash,
     kLinear,
     0x4eaa7e9f,
     25052965,
     {37, 74, 111},
     {129, 94, 128},
     {133, 145, 131},
     36699.347060},
    {Mode::kRgb,
     5,
     400,
     224,
     224,
     kShortest,
     kCubic,
     0xc80f740a,
     14103497,
     {0, 62, 99},
     {0, 51, 88},
     {19, 56, 93},
     -46102.313723},
    {Mode::kRgb,
     640,
     427,
     256,
     320,
     kShortest,
     kCubic,
     0xee49501e,
     31317462,
     {42, 83, 128},
     {133, 90, 129},
     {88, 125, 125},
     45891.603049},
    {Mode::kL,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0xdf4f4ab2,
     39111126,
     {62, 62, 62},
     {127, 127, 127},
     {46, 46, 46},
     56847.879310},
    {Mode::kLA,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0x36344de0,
     39670152,
     {98, 98, 98},
     {58, 58, 58},
     {37, 37, 37},
     65014.553810},
    {Mode::kRgba,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0x30ea1983,
     36529440,
     {36, 80, 114},
     {99, 70, 109},
     {51, 85, 121},
     18580.403183},
    {Mode::kRgba,
     640,
     427,
     320,
     320,
     kLongest,
     kCubic,
     0x60bb0d02,
     24555029,
     {0, 0, 0},
     {114, 85, 124},
     {0, 0, 0},
     -156290.762881},
    {Mode::kP,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0x41642532,
     39171906,
     {217, 197, 224},
     {178, 88, 193},
     {227, 179, 186},
     57731.337625},
    {Mode::kP,
     640,
     427,
     320,
     320,
     kLongest,
     kCubic,
     0xf82b8e25,
     36505670,
     {0, 50, 255},
     {178, 88, 193},
     {0, 50, 255},
     16090.917294},
    {Mode::k1,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0x651c14c0,
     39070080,
     {0, 0, 0},
     {0, 0, 0},
     {0, 0, 0},
     56248.215714},
    {Mode::kCmyk,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0xd49003df,
     19227710,
     {109, 82, 69},
     {59, 91, 72},
     {76, 66, 53},
     -233763.816594},
    {Mode::kCmyk,
     640,
     427,
     320,
     320,
     kLongest,
     kCubic,
     0xcfe9a297,
     38949912,
     {255, 255, 255},
     {64, 88, 64},
     {255, 255, 255},
     54462.591783},
    {Mode::kI,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0x77445fa2,
     74643156,
     {184, 184, 184},
     {255, 255, 255},
     {138, 138, 138},
     575926.512085},
    {Mode::kF,
     640,
     427,
     320,
     320,
     kShortest,
     kCubic,
     0xbeb337a8,
     51457872,
     {72, 72, 72},
     {170, 170, 170},
     {48, 48, 48},
     237218.441977},
};

TEST(Preprocess, EqualsTheReferenceOnEveryGoldenRow) {
  for (const Golden& row : kGolden) {
    SCOPED_TRACE(std::string(mode_name(row.mode)) + " " + std::to_string(row.width) + "x" +
                 std::to_string(row.height) + " to " + std::to_string(row.target_height));
    PreprocessConfig config;
    config.height = row.target_height;
    config.width = row.target_width;
    config.resize_mode = row.resize_mode;
    config.interpolation = row.filter;
    const Image out = preprocess(synthetic(row.mode, row.width, row.height), config);
    ASSERT_EQ(out.mode, Mode::kRgb);
    ASSERT_EQ(out.width, row.target_width);
    ASSERT_EQ(out.height, row.target_height);
    EXPECT_EQ(crc_of(out), row.crc);
    EXPECT_EQ(std::accumulate(out.data.begin(), out.data.end(), int64_t{0}), row.sum);
    EXPECT_EQ(pixel(out, 0, 0), row.first);
    EXPECT_EQ(pixel(out, out.height / 2, out.width / 2), row.centre);
    EXPECT_EQ(pixel(out, out.height - 1, out.width - 1), row.last);
    std::vector<float> tensor(out.data.size());
    to_tensor(out, config, tensor.data());
    EXPECT_NEAR(std::accumulate(tensor.begin(), tensor.end(), 0.0), row.tensor_sum, 1e-6);
  }
}

TEST(Preprocess, SyntheticImageIsTheDocumentedOne) {
  const Image image = synthetic(Mode::kRgb, 640, 427);
  EXPECT_EQ(crc_of(image), 1938243031u);
  EXPECT_EQ(pixel(image, 426, 639), (Pixel{47, 84, 121}));
}

TEST(Preprocess, CropThenResizeEqualsRandomResizedCropsGeometry) {
  const Image whole = synthetic(Mode::kRgb, 640, 427);
  Image crop = make_image(Mode::kRgb, 411, 288);
  crop.data.clear();
  for (size_t y = 37; y < 37 + 288; ++y) {
    const auto row = whole.data.begin() + static_cast<ptrdiff_t>(3 * (y * 640 + 101));
    crop.data.insert(crop.data.end(), row, row + ptrdiff_t{3} * 411);
  }
  EXPECT_EQ(crc_of(resize(crop, 320, 320, Filter::kBicubic)), 0x023f5cbbu);
  EXPECT_EQ(crc_of(resize(crop, 320, 320, Filter::kBilinear)), 0x4b61da58u);
}

TEST(Preprocess, FillsInTheImagesOwnMode) {
  PreprocessConfig config{.height = 8, .width = 8, .resize_mode = ResizeMode::kLongest};
  config.fill_color = 300;
  EXPECT_EQ(pixel(preprocess(synthetic(Mode::kRgb, 8, 4), config), 0, 0), (Pixel{255, 255, 255}));
  EXPECT_EQ(pixel(preprocess(synthetic(Mode::kCmyk, 8, 4), config), 0, 0), (Pixel{0, 0, 0}));
  config.fill_color = 7;
  EXPECT_EQ(pixel(preprocess(synthetic(Mode::kP, 8, 4), config), 0, 0), (Pixel{49, 141, 248}));
}

TEST(Preprocess, ElongatedImagesCostNoMoreThanWhatIsKept) {
  const Image strip = synthetic(Mode::kRgb, 1, 60000);
  EXPECT_EQ(preprocess(strip, {.height = 64, .width = 64}).data.size(), 64u * 64 * 3);
  PreprocessConfig longest{.height = 64, .width = 64, .resize_mode = ResizeMode::kLongest};
  EXPECT_THROW(preprocess(strip, longest), Error);
}

TEST(ToTensor, IsTheReferencesToTheLastBit) {
  const auto table = normalization_table({});
  EXPECT_EQ(table[0][0], -1.7922626f);
  EXPECT_EQ(table[0][128], 0.076336145f);
  EXPECT_EQ(table[0][255], 1.9303361f);
  EXPECT_EQ(table[1][0], -1.7520971f);
  EXPECT_EQ(table[1][128], 0.16889732f);
  EXPECT_EQ(table[1][255], 2.0748837f);
  EXPECT_EQ(table[2][0], -1.4802198f);
  EXPECT_EQ(table[2][128], 0.33994877f);
  EXPECT_EQ(table[2][255], 2.145897f);
}

}  // namespace
}  // namespace clipnext::image

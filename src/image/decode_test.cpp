// Every kind of file the folder reads, against what Pillow and open_clip's transform made of it
// (tools/make_image_fixtures.py).
#include "image/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
// jpeglib.h uses FILE and size_t without including them.
#include <jpeglib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "image/preprocess.h"
#include "image/synthetic_test.h"

namespace clipnext::image {
namespace {

const std::filesystem::path kFolder = CLIPNEXT_SOURCE_DIR "/tests/data/image";

const Json& expected() {
  static const Json json = parse_json(read_file(kFolder / "expected.json"), "expected.json");
  return json;
}

Image decode_fixture(const std::string& name) { return decode_file(kFolder / name); }

PreprocessConfig config_of(const Json& one) {
  PreprocessConfig config;
  config.height = config.width = one.at("size").get<int>();
  const auto mode = one.at("mode").get<std::string>();
  config.resize_mode = mode == "squash"    ? ResizeMode::kSquash
                       : mode == "longest" ? ResizeMode::kLongest
                                           : ResizeMode::kShortest;
  config.interpolation =
      one.at("interpolation") == "bilinear" ? Filter::kBilinear : Filter::kBicubic;
  return config;
}

TEST(Decode, GivesPillowsPixelsAndMode) {
  ASSERT_GE(expected().at("files").size(), 60u);
  for (const Json& file : expected().at("files")) {
    const auto name = file.at("file").get<std::string>();
    SCOPED_TRACE(name);
    const Image image = decode_fixture(name);
    EXPECT_EQ(mode_name(image.mode), file.at("mode").get<std::string>());
    EXPECT_EQ(image.width, file.at("width").get<int>());
    EXPECT_EQ(image.height, file.at("height").get<int>());
    EXPECT_EQ(crc_of(image), file.at("crc").get<uint32_t>());
  }
}

TEST(Decode, IsPreprocessedToTheReferencesBytes) {
  for (const Json& file : expected().at("files")) {
    const auto name = file.at("file").get<std::string>();
    const Image image = decode_fixture(name);
    for (size_t i = 0; i < expected().at("cases").size(); ++i) {
      const Json& one = expected().at("cases")[i];
      EXPECT_EQ(crc_of(preprocess(image, config_of(one))),
                file.at("preprocessed")[i].get<uint32_t>())
          << name << " " << one.dump();
    }
  }
}

TEST(Decode, GivesTheSameFromManyThreads) {
  std::vector<std::thread> threads(4);
  std::atomic<int> wrong{0};
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (const Json& file : expected().at("files")) {
        const Image image = decode_fixture(file.at("file").get<std::string>());
        if (crc_of(image) != file.at("crc").get<uint32_t>()) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

/// A smooth RGB picture as a JPEG of quality 90.
std::string smooth_jpeg(int width, int height) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 90, TRUE);
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> row(static_cast<size_t>(width) * 3);
  for (int y = 0; y < height; ++y) {
    for (size_t i = 0; i < row.size(); ++i) {
      const double wave = std::sin(0.02 * static_cast<double>(i / 3)) * std::cos(0.03 * y);
      row[i] = static_cast<uint8_t>(128 + 30 * static_cast<int>(i % 3) + std::lround(60 * wave));
    }
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&info, &rows, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string file(reinterpret_cast<char*>(bytes), size);
  std::free(bytes);
  return file;
}

Image decode_enough(const std::string& file, int64_t enough_side) {
  return decode({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, "x",
                {.enough_side = enough_side});
}

TEST(Decode, ScalesAJpegAsLongAsEnoughIsLeft) {
  const std::string file = smooth_jpeg(640, 483);
  const std::array<std::array<int, 3>, 7> expected_sizes = {{{0, 640, 483},
                                                             {1000, 640, 483},
                                                             {242, 640, 483},
                                                             {241, 320, 242},
                                                             {120, 160, 121},
                                                             {60, 80, 61},
                                                             {1, 80, 61}}};
  for (const auto& [enough, width, height] : expected_sizes) {
    const Image image = decode_enough(file, enough);
    EXPECT_EQ(image.width, width) << enough;
    EXPECT_EQ(image.height, height) << enough;
  }
}

TEST(Decode, ScaledIsCloseToExactOnceBothAreResized) {
  const std::string file = smooth_jpeg(640, 480);
  PreprocessConfig config;
  config.width = config.height = 60;
  const Image exact = preprocess(decode_enough(file, 0), config);
  const Image scaled = preprocess(decode_enough(file, 120), config);
  int worst = 0;
  for (size_t i = 0; i < exact.data.size(); ++i) {
    worst = std::max(worst, std::abs(exact.data[i] - scaled.data[i]));
  }
  EXPECT_LE(worst, 3);  // two roundings to 8 bits, and the edge of another filter
  EXPECT_GT(worst, 0);  // not exact: the option did something
}

TEST(Decode, ScalesNothingButJpegs) {
  const std::string png = read_file(kFolder / "rgba.png");
  EXPECT_EQ(decode_enough(png, 1).data, decode_enough(png, 0).data);
}

/// What decode() says of bytes it refuses; a test failure if it does not refuse them.
std::string refusal(const std::string& bytes, const DecodeLimits& limits = {}) {
  try {
    decode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "x", limits);
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "not refused";
  return {};
}

TEST(Decode, RefusesWhatIsNoImageByName) {
  EXPECT_EQ(refusal(""), "x: the file is empty");
  EXPECT_EQ(refusal("hello"),
            "x: not a JPEG, PNG, WebP, GIF, TIFF, BMP, PBM, PGM, PPM, HEIC or AVIF image");
  EXPECT_THROW(decode_file(kFolder / "missing.png"), Error);
}

TEST(Decode, RefusesABrokenHeifByName) {
  using namespace std::string_literals;
  // Whether libheif is there or not.
  EXPECT_EQ(refusal("\0\0\0\x18"s + "ftypheic" + std::string(40, 'x')).substr(0, 3), "x: ");
}

TEST(Decode, RefusesTruncatedFilesOfEveryFormat) {
  for (const char* name :
       {"rgb420.jpg", "progressive.jpg", "rgba.png", "8bit_colour3_adam7.png", "rgb_lossy.webp",
        "palette.gif", "uncompressed.tif", "rgb_jpeg.tif", "rgb.bmp", "rle8.bmp"}) {
    SCOPED_TRACE(name);
    const std::string whole = read_file(kFolder / name);
    refusal(whole.substr(0, whole.size() * 2 / 3));
    refusal(whole.substr(0, 20));
  }
}

}  // namespace
}  // namespace clipnext::image

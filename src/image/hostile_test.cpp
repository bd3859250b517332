// Files made to hurt: mutants of every format, and headers that promise far more than they hold.
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "base/file.h"
#include "hostile/mutate.h"
#include "image/decode.h"
#include "image/preprocess.h"

namespace clipnext::image {
namespace {

const std::filesystem::path kFolder = CLIPNEXT_SOURCE_DIR "/tests/data/image";

/// Mutants may claim any size; half a million pixels keeps the test fast and the bound small.
constexpr DecodeLimits kSmall{.max_pixels = 1 << 19};
/// The stated bound: 24 bytes for each pixel allowed (a progressive CMYK JPEG: 8 of coefficients
/// for its pixels, padded, and 4 of pixels; a TIFF: a block and the image, 8 each), and what the
/// libraries take at the start.
constexpr hostile::Limits kBound{.peak_bytes = (int64_t{24} << 19) + (4 << 20)};

void decode_small(std::span<const std::byte> bytes) {
  preprocess(decode(hostile::as_u8(bytes), "mutant", kSmall), {.height = 32, .width = 32});
}

void expect_survives(const char* name) {
  SCOPED_TRACE(name);
  hostile::expect_survives(read_file(kFolder / name), decode_small, kBound);
}

TEST(HostileImage, SurvivesMutatedJpeg) {
  expect_survives("rgb420.jpg");
  expect_survives("progressive.jpg");
  expect_survives("cmyk.jpg");
}

TEST(HostileImage, SurvivesMutatedPng) {
  expect_survives("rgba.png");
  expect_survives("8bit_colour3_adam7.png");
}

TEST(HostileImage, SurvivesMutatedWebp) {
  expect_survives("rgba_lossy.webp");
  expect_survives("rgb_lossless.webp");
  expect_survives("animation.webp");
}

TEST(HostileImage, SurvivesMutatedGif) {
  expect_survives("palette.gif");
  expect_survives("animation.gif");
}

TEST(HostileImage, SurvivesMutatedTiff) {
  expect_survives("uncompressed.tif");
  expect_survives("strips.tif");
  expect_survives("rgb_jpeg.tif");
  expect_survives("1_group4.tif");
}

TEST(HostileImage, SurvivesMutatedBmp) {
  expect_survives("p.bmp");
  expect_survives("rle8.bmp");
  expect_survives("565.bmp");
}

TEST(HostileImage, SurvivesMutatedPnm) {
  expect_survives("plain.pbm");
  expect_survives("binary.pbm");
  expect_survives("comments.pgm");
  expect_survives("p3_1000.ppm");
  expect_survives("p5_65535.pgm");
}

/// decode() refuses `bytes` with a message that holds `reason`, for almost no memory.
void expect_refused_cheaply(const std::string& bytes, const std::string& reason,
                            int64_t peak_bytes = 2 << 20) {
  std::string message;
  const auto parse = [&](std::span<const std::byte> file) {
    try {
      decode(hostile::as_u8(file), "bomb");
    } catch (const Error& e) {
      message = e.what();
      throw;
    }
  };
  EXPECT_FALSE(hostile::expect_contained(std::as_bytes(std::span(bytes)), parse, reason,
                                         {.peak_bytes = peak_bytes, .seconds = 20}));
  EXPECT_NE(message.find(reason), std::string::npos) << message;
}

std::string big_endian(uint32_t value, int size) {
  std::string bytes;
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) {
    bytes += static_cast<char>(value >> shift & 0xFF);
  }
  return bytes;
}

/// progressive.jpg with another size in its frame header, and its scans `repeat` times.
std::string jpeg_bomb(uint32_t width, uint32_t height, int repeat) {
  using namespace std::string_literals;
  std::string bytes = read_file(kFolder / "progressive.jpg");
  const size_t frame = bytes.find("\xff\xc2\x00\x11"s);
  bytes.replace(frame + 5, 4, big_endian(height, 2) + big_endian(width, 2));
  const size_t scan = bytes.find("\xff\xda"s);
  const std::string scans = bytes.substr(scan, bytes.size() - 2 - scan);
  std::string bomb = bytes.substr(0, scan);
  for (int i = 0; i < repeat; ++i) bomb += scans;
  return bomb + "\xff\xd9"s;
}

TEST(HostileImage, RefusesAProgressiveJpegOf64250PixelsSquareByItsHeader) {
  const std::string bomb = jpeg_bomb(64250, 64250, 1);
  EXPECT_LT(bomb.size(), 2048u);
  expect_refused_cheaply(bomb, "64250x64250 pixels, more than the limit");
}

TEST(HostileImage, RefusesAJpegOfTooManyScans) {
  // 8000 x 8000 pixels allow 62 scans.
  expect_refused_cheaply(jpeg_bomb(8000, 8000, 20), "JPEG scans", int64_t{700} << 20);
}

std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  return big_endian(static_cast<uint32_t>(data.size()), 4) + body +
         big_endian(static_cast<uint32_t>(crc), 4);
}

std::string png_header(uint32_t width, uint32_t height) {
  using namespace std::string_literals;
  return "\x89PNG\r\n\x1a\n"s +
         png_chunk("IHDR", big_endian(width, 4) + big_endian(height, 4) + "\x08\x02\0\0\0"s);
}

TEST(HostileImage, RefusesHugePngsByTheirHeader) {
  expect_refused_cheaply(png_header(0xFFFFFFFF, 0xFFFFFFFF) + png_chunk("IDAT", "x"), "limit");
  expect_refused_cheaply(png_header(20000, 20000) + png_chunk("IDAT", "x"), "limit");
}

TEST(HostileImage, InflatesNoMoreThanThePngsRows) {
  std::string zeros(size_t{32} << 20, '\0');
  std::string packed(compressBound(zeros.size()), '\0');
  uLongf size = packed.size();
  ASSERT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(zeros.data()), zeros.size()),
            Z_OK);
  packed.resize(size);
  const std::string bytes = png_header(4, 4) + png_chunk("IDAT", packed) + png_chunk("IEND", "");
  EXPECT_TRUE(hostile::expect_contained(
      std::as_bytes(std::span(bytes)),
      [](std::span<const std::byte> file) { decode(hostile::as_u8(file), "bomb"); }, "zlib bomb",
      {.peak_bytes = 1 << 20}));
}

TEST(HostileImage, RefusesHugeGifBmpTiffAndWebpByTheirHeader) {
  using namespace std::string_literals;
  expect_refused_cheaply("GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\1\0\0"s,
                         "65535x65535");
  std::string bmp = read_file(kFolder / "rgb.bmp");
  bmp.replace(18, 8, "\0\0\1\0\0\0\1\0"s);
  expect_refused_cheaply(bmp, "65536x65536");
  std::string tiff = read_file(kFolder / "uncompressed.tif");
  for (const std::string& tag : {"\x00\x01\x03\0\1\0\0\0"s, "\x01\x01\x03\0\1\0\0\0"s,
                                 "\x00\x01\x04\0\1\0\0\0"s, "\x01\x01\x04\0\1\0\0\0"s}) {
    const size_t at = tiff.find(tag);
    if (at != std::string::npos) tiff.replace(at + 8, 2, "\xff\xff"s);
  }
  expect_refused_cheaply(tiff, "65535x65535");
  const std::string webp = "RIFF"s + "\x26\0\0\0"s + "WEBPVP8X"s + "\x0a\0\0\0\0\0\0\0"s +
                           "\xff\xff\0\xff\xff\0"s + "VP8L"s + "\x08\0\0\0\x2f\0\0\0\0\0\0\0"s;
  expect_refused_cheaply(webp, "bomb: ");
}

}  // namespace
}  // namespace clipnext::image

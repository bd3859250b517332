#include "image/encode.h"

#include <webp/encode.h>
#include <zlib.h>

#include <csetjmp>
// jpeglib.h uses FILE and size_t without including them.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace clipnext::image {
namespace {

std::string encode_webp(const Image& image, const std::string& name) {
  require(image.width <= WEBP_MAX_DIMENSION && image.height <= WEBP_MAX_DIMENSION, name, ": ",
          image.width, " x ", image.height, " pixels are too many for WebP, whose limit is ",
          WEBP_MAX_DIMENSION, " a side; choose png");
  uint8_t* bytes = nullptr;
  const size_t size =
      WebPEncodeLosslessRGB(image.data.data(), image.width, image.height, 3 * image.width, &bytes);
  const std::unique_ptr<uint8_t, decltype(&WebPFree)> owner(bytes, WebPFree);
  require(size > 0, name, ": cannot be written as WebP");
  return {reinterpret_cast<const char*>(bytes), size};
}

void append_u32be(std::string& out, size_t value) {
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift & 255);
}

void append_chunk(std::string& out, std::string_view type, std::string_view data) {
  append_u32be(out, data.size());
  const size_t begin = out.size();
  out += type;
  out += data;
  append_u32be(out, crc32_z(0, reinterpret_cast<const Bytef*>(&out[begin]), out.size() - begin));
}

/// Every row as its difference from the one above (PNG's filter 2), which photographs and drawings
/// both gain by.
std::string filtered_rows(const Image& image) {
  const size_t row = size_t{3} * static_cast<size_t>(image.width);
  std::string out;
  out.reserve((row + 1) * static_cast<size_t>(image.height));
  for (size_t at = 0; at < image.data.size(); at += row) {
    out += '\2';
    for (size_t i = at; i < at + row; ++i) {
      out += static_cast<char>(image.data[i] - (at == 0 ? 0 : image.data[i - row]));
    }
  }
  return out;
}

std::string encode_png(const Image& image, const std::string& name) {
  const std::string rows = filtered_rows(image);
  uLongf size = compressBound(rows.size());
  std::string data(size, '\0');
  const int status = compress2(reinterpret_cast<Bytef*>(data.data()), &size,
                               reinterpret_cast<const Bytef*>(rows.data()), rows.size(), 6);
  // A chunk's size has 31 bits.
  require(status == Z_OK && size < (uLongf{1} << 31), name, ": is too large for PNG");
  data.resize(size);
  std::string header;
  append_u32be(header, static_cast<size_t>(image.width));
  append_u32be(header, static_cast<size_t>(image.height));
  header += std::string("\x08\x02\0\0\0", 5);  // 8 bits, RGB
  std::string out("\x89PNG\r\n\x1a\n");
  append_chunk(out, "IHDR", header);
  append_chunk(out, "IDAT", data);
  append_chunk(out, "IEND", "");
  return out;
}

struct JpegErrors {
  jpeg_error_mgr base;
  std::jmp_buf jump;
};

void on_jpeg_error(j_common_ptr info) {
  std::longjmp(reinterpret_cast<JpegErrors*>(info->err)->jump, 1);
}

// No object with a destructor may live here: longjmp passes over it.
bool compress_jpeg(const Image& image, unsigned char** bytes, unsigned long* size) {
  JpegErrors errors;
  jpeg_compress_struct info;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = on_jpeg_error;
  if (setjmp(errors.jump) != 0) {
    jpeg_destroy_compress(&info);
    return false;
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, bytes, size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);  // which is quality 75
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    // libjpeg's interface predates const.
    auto* row =
        const_cast<JSAMPLE*>(&image.data[size_t{3} * info.image_width * info.next_scanline]);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return true;
}

std::string encode_jpeg(const Image& image, const std::string& name) {
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const bool written = compress_jpeg(image, &bytes, &size);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(bytes, std::free);
  require(written, name, ": cannot be written as JPEG");
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::string encode(const Image& image, Encoding encoding, const std::string& name) {
  require(image.mode == Mode::kRgb && image.width > 0 && image.height > 0, name,
          ": only RGB images are written");
  switch (encoding) {
    case Encoding::kWebp:
      return encode_webp(image, name);
    case Encoding::kPng:
      return encode_png(image, name);
    case Encoding::kJpeg:
      return encode_jpeg(image, name);
  }
  return {};
}

}  // namespace clipnext::image

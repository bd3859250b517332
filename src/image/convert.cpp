// Image.convert("RGB"): one loop per kind of pixel.
#include "image/convert.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "image/premultiply.h"

namespace clipnext::image {

namespace {

/// Calls pixel(in, out) for each pixel: in points at its source bytes, out at its three.
template <class F>
void map_pixels(const Image& source, Image& rgb, const F& pixel) {
  const size_t step = pixel_bytes(source.mode);
  const uint8_t* in = source.data.data();
  for (size_t i = 0; i < rgb.data.size(); i += 3, in += step) pixel(in, &rgb.data[i]);
}

void grey(uint8_t value, uint8_t* out) { out[0] = out[1] = out[2] = value; }

void from_palette(const Image& source, Image& rgb) {
  std::array<uint8_t, 768> colors{};  // indices beyond the file's palette are black
  std::copy_n(source.palette.begin(), std::min(colors.size(), source.palette.size() / 3 * 3),
              colors.begin());
  map_pixels(source, rgb, [&](const uint8_t* in, uint8_t* out) {
    std::memcpy(out, &colors[size_t{3} * in[0]], 3);
  });
}

void from_cmyk(const Image& source, Image& rgb) {
  map_pixels(source, rgb, [](const uint8_t* in, uint8_t* out) {
    const int key = 255 - in[3];
    for (int c = 0; c < 3; ++c) {
      const int value = key - muldiv255(in[c], key);
      out[c] = static_cast<uint8_t>(value < 0 ? 0 : value);
    }
  });
}

void from_i16(const Image& source, Image& rgb) {
  map_pixels(source, rgb, [](const uint8_t* in, uint8_t* out) {
    uint16_t value = 0;
    std::memcpy(&value, in, sizeof(value));
    grey(static_cast<uint8_t>(value > 255 ? 255 : value), out);
  });
}

void from_i(const Image& source, Image& rgb) {
  map_pixels(source, rgb, [](const uint8_t* in, uint8_t* out) {
    int32_t value = 0;
    std::memcpy(&value, in, sizeof(value));
    grey(static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value), out);
  });
}

void from_f(const Image& source, Image& rgb) {
  map_pixels(source, rgb, [](const uint8_t* in, uint8_t* out) {
    float value = 0;
    std::memcpy(&value, in, sizeof(value));
    // Written so that NaN becomes 0.
    grey(static_cast<uint8_t>(value >= 255.0f ? 255.0f : value > 0.0f ? value : 0.0f), out);
  });
}

}  // namespace

Image to_rgb(const Image& source) {
  if (source.mode == Mode::kRgb) return source;
  Image rgb = make_image(Mode::kRgb, source.width, source.height);
  switch (source.mode) {
    case Mode::k1:
    case Mode::kL:
    case Mode::kLA:
      map_pixels(source, rgb, [](const uint8_t* in, uint8_t* out) { grey(in[0], out); });
      break;
    case Mode::kP:
    case Mode::kPA:
      from_palette(source, rgb);
      break;
    case Mode::kRgb:
      break;
    case Mode::kRgba:
      map_pixels(source, rgb, [](const uint8_t* in, uint8_t* out) { std::memcpy(out, in, 3); });
      break;
    case Mode::kCmyk:
      from_cmyk(source, rgb);
      break;
    case Mode::kI16:
      from_i16(source, rgb);
      break;
    case Mode::kI:
      from_i(source, rgb);
      break;
    case Mode::kF:
      from_f(source, rgb);
      break;
  }
  return rgb;
}

}  // namespace clipnext::image

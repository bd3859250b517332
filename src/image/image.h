// An image in memory, in one of Pillow's modes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace clipnext::image {

/// Pillow's names: 1 (stored as 0/255 bytes), L, LA, P, RGB, RGBA, CMYK, I;16, I (int32), F
/// (float32). CMYK as Pillow holds it (inverted on load for Adobe JPEGs).
enum class Mode : uint8_t { k1, kL, kLA, kP, kPA, kRgb, kRgba, kCmyk, kI16, kI, kF };

/// Interleaved rows without padding, [height, width, channels(mode)] samples of sample_bytes(mode)
/// bytes each, native order.
struct Image {
  Mode mode = Mode::kRgb;
  int width = 0;
  int height = 0;
  std::vector<uint8_t> data;
  std::vector<uint8_t> palette;  // kP: [entries, 3] RGB
};

/// A zero-filled image; the caller has checked the size.
Image make_image(Mode mode, int64_t width, int64_t height);

int channels(Mode mode);
int sample_bytes(Mode mode);
/// channels times sample_bytes.
size_t pixel_bytes(Mode mode);
const char* mode_name(Mode mode);

}  // namespace clipnext::image

// Colour times alpha and back, rounded as Pillow rounds (src/libImaging/ImagingUtils.h).
#pragma once

#include <cstdint>
#include <vector>

namespace clipnext::image {

/// a * b / 255, rounded.
inline int muldiv255(int a, int b) {
  const int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

/// RGBA to RGBa, or LA to La: pixels [n, channels], alpha last.
void premultiply(std::vector<uint8_t>& pixels, int channels);
/// And back; where alpha is 0 or 255 the colour stays as it is.
void unpremultiply(std::vector<uint8_t>& pixels, int channels);

}  // namespace clipnext::image

// Colour times alpha and back.
#include "image/premultiply.h"

#include <algorithm>

namespace clipnext::image {

void premultiply(std::vector<uint8_t>& pixels, int channels) {
  const auto step = static_cast<size_t>(channels);
  for (size_t i = 0; i + step <= pixels.size(); i += step) {
    const int alpha = pixels[i + step - 1];
    for (size_t c = 0; c + 1 < step; ++c) {
      pixels[i + c] = static_cast<uint8_t>(muldiv255(pixels[i + c], alpha));
    }
  }
}

void unpremultiply(std::vector<uint8_t>& pixels, int channels) {
  const auto step = static_cast<size_t>(channels);
  for (size_t i = 0; i + step <= pixels.size(); i += step) {
    const int alpha = pixels[i + step - 1];
    if (alpha == 0 || alpha == 255) continue;
    for (size_t c = 0; c + 1 < step; ++c) {
      pixels[i + c] = static_cast<uint8_t>(std::min(255 * pixels[i + c] / alpha, 255));
    }
  }
}

}  // namespace clipnext::image

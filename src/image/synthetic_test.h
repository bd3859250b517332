// Test images made by the formula of the golden rows.
#pragma once

#include <zlib.h>

#include <cstdint>

#include "image/image.h"

namespace clipnext::image {

inline int synthetic_sample(int c, int y, int x) {
  return (37 * c + 17 * y + 29 * x + x * y % 251) % 256;
}

/// An image of a mode with a byte per sample.
inline Image synthetic_bytes(Mode mode, int width, int height) {
  Image image = make_image(mode, width, height);
  size_t i = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels(mode); ++c) {
        image.data[i++] = static_cast<uint8_t>(synthetic_sample(c, y, x));
      }
    }
  }
  return image;
}

inline uint32_t crc_of(const Image& image) {
  return static_cast<uint32_t>(crc32_z(0, image.data.data(), image.data.size()));
}

}  // namespace clipnext::image

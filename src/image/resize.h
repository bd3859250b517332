// Image.resize, byte for byte.
#pragma once

#include <cstdint>

#include "image/image.h"

namespace clipnext::image {

enum class Filter : uint8_t { kBilinear, kBicubic, kLanczos };

/// As Pillow's Image.resize((width, height), filter) in the image's own mode, byte for byte
/// (src/libImaging/Resample.c): P and 1 by nearest neighbour, LA and RGBA premultiplied. Throws
/// Error if a side is 0 or above 65535.
Image resize(const Image& source, int width, int height, Filter filter);

}  // namespace clipnext::image

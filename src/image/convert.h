// Image.convert("RGB").
#pragma once

#include "image/image.h"

namespace clipnext::image {

/// As Pillow's convert("RGB") for every mode (spec: decoding to modes and conversion to RGB).
Image to_rgb(const Image& source);

}  // namespace clipnext::image

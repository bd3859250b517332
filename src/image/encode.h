// Pixels to files.
#pragma once

#include <string>

#include "image/image.h"

namespace clipnext::image {

enum class Encoding : uint8_t { kWebp, kPng, kJpeg };

/// A file of an image in mode RGB: WebP and PNG without loss, JPEG as Pillow writes it (quality 75,
/// colour at half the resolution). Throws Error that begins with `name` if the format has no room
/// for the size (WebP: 16,383 pixels a side).
std::string encode(const Image& image, Encoding encoding, const std::string& name);

}  // namespace clipnext::image

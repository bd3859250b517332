// Files to pixels, byte for byte as Pillow 13 decodes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "image/image.h"

namespace clipnext::image {

struct DecodeLimits {
  /// Above this the header alone refuses the image; Pillow's own error limit.
  int64_t max_pixels = 178'956'970;
  /// Not 0: JPEGs are decoded at 1/2, 1/4 or 1/8 of their size, in the DCT domain, as long as this
  /// many pixels of the shorter side are left. Faster, and not the pixels that Pillow gives.
  int64_t enough_side = 0;
};

/// Decodes the first frame of a JPEG, PNG, WebP, GIF, TIFF, BMP, PBM, PGM or PPM (HEIC and AVIF
/// where libheif is installed), in the mode Pillow would open it in. EXIF orientation and colour
/// profiles are ignored, as the reference ignores them. Throws Error that begins with `name` and
/// says what is wrong.
Image decode(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& = {});
Image decode_file(const std::filesystem::path& path, const DecodeLimits& = {});

}  // namespace clipnext::image

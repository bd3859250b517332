// One decoder per file format; decode() chooses among them.
#pragma once

#include "image/image.h"
#include "image/source.h"

namespace clipnext::image {

// Each takes a file that begins as its format does, and throws Error for anything it cannot decode.
Image decode_jpeg(const Source& source);
Image decode_png(const Source& source);
Image decode_webp(const Source& source);
Image decode_gif(const Source& source);
Image decode_tiff(const Source& source);
Image decode_bmp(const Source& source);
Image decode_pnm(const Source& source);
/// HEIC and AVIF, by libheif where it is installed.
Image decode_heif(const Source& source);

}  // namespace clipnext::image

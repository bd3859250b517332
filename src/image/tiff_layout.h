// What the samples of a TIFF mean, and how they become pixels of one of Pillow's modes.
#pragma once

#include <cstdint>
#include <vector>

#include "image/image.h"
#include "image/source.h"

namespace clipnext::image {

/// The tags of a directory that decide how it is read (TIFF 6.0, section 8 and on).
struct TiffTags {
  uint32_t width = 0, height = 0;
  int bits = 1;
  int samples = 1;
  int photometric = 0;
  int compression = 1;
  int sample_format = 1;
  int fill_order = 1;
  bool separate_planes = false;
  bool big_endian = false;
  std::vector<uint16_t> extra_samples;
};

/// How one row of samples, as libtiff hands it out, becomes pixels.
struct TiffLayout {
  enum class Kind {
    kPacked,
    kBytes,
    kPremultiplied,
    kHighBytes,
    kHighPremultiplied,
    k12,
    k16,
    kSigned16,
    k32
  };
  Mode mode = Mode::kL;
  Kind kind = Kind::kBytes;
  int bits = 8;
  int samples = 1;  // in the file
  bool inverted = false;
};

/// The layout of Pillow's table for these tags (src/PIL/TiffImagePlugin.py, OPEN_INFO); refuses
/// what is not in it, and the modes that convert("RGB") has no answer for.
TiffLayout tiff_layout(const Source& source, const TiffTags& tags);

/// count pixels.
void unpack_tiff_row(const TiffLayout& layout, const uint8_t* in, int64_t count, uint8_t* out);

}  // namespace clipnext::image

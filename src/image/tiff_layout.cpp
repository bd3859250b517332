// Photometric interpretation, depth and extra samples to a mode, and rows of samples to pixels.
#include "image/tiff_layout.h"

#include <algorithm>
#include <cstring>

#include "image/unpack.h"

namespace clipnext::image {

namespace {

using Kind = TiffLayout::Kind;

[[noreturn]] void unsupported(const Source& source, const TiffTags& tags) {
  source.refuse("TIFF with photometric ", tags.photometric, ", ", tags.samples, " samples of ",
                tags.bits, " bits in format ", tags.sample_format, " is not read");
}

TiffLayout grey(const Source& source, const TiffTags& tags) {
  TiffLayout layout{.bits = tags.bits};
  const bool white_is_0 = tags.photometric == 0;
  const bool little = !tags.big_endian;
  const bool in_order = tags.fill_order == 1;
  const int format = tags.sample_format;
  if (format == 1 && (tags.bits == 1 || tags.bits == 2 || tags.bits == 4)) {
    layout.mode = tags.bits == 1 ? Mode::k1 : Mode::kL;
    layout.kind = Kind::kPacked;
    layout.inverted = white_is_0;
  } else if (tags.bits == 8 && (format == 1 || (format == 2 && !white_is_0 && in_order))) {
    layout.inverted = white_is_0;
  } else if (tags.bits == 12 && format == 1 && !white_is_0 && little && in_order) {
    layout.mode = Mode::kI16;
    layout.kind = Kind::k12;
  } else if (tags.bits == 16 && format == 1 &&
             (white_is_0 ? little && in_order : little || in_order)) {
    layout.mode = Mode::kI16;
    layout.kind = Kind::k16;
  } else if (tags.bits == 16 && format == 2 && !white_is_0 && in_order) {
    layout.mode = Mode::kI;
    layout.kind = Kind::kSigned16;
  } else if (tags.bits == 32 && in_order && format == 3) {
    layout.mode = Mode::kF;
    layout.kind = Kind::k32;
  } else if (tags.bits == 32 && in_order && !white_is_0 &&
             (format == 2 || (format == 1 && little))) {
    layout.mode = Mode::kI;
    layout.kind = Kind::k32;
  } else {
    unsupported(source, tags);
  }
  return layout;
}

/// Grey or palette with a second sample.
TiffLayout pair(const Source& source, const TiffTags& tags) {
  const bool palette = tags.photometric == 3;
  const int extra = tags.extra_samples.empty() ? -1 : tags.extra_samples[0];
  if (tags.bits != 8 || tags.photometric == 0 || (extra != 0 && extra != 2)) {
    unsupported(source, tags);
  }
  TiffLayout layout{.samples = 2};
  if (extra == 2) {
    layout.mode = palette ? Mode::kPA : Mode::kLA;
  } else {
    layout.mode = palette ? Mode::kP : Mode::kL;
  }
  return layout;
}

TiffLayout rgb(const Source& source, const TiffTags& tags) {
  const auto& extra = tags.extra_samples;
  const bool wide = tags.bits == 16;
  const bool known = (tags.bits == 8 && tags.samples <= 6) || (wide && tags.samples <= 4);
  if (!known || tags.samples < 3 || (extra.empty() && tags.samples > 4) ||
      (!extra.empty() && static_cast<int>(extra.size()) != tags.samples - 3) ||
      (extra.size() > 1 &&
       std::any_of(extra.begin() + 1, extra.end(), [](uint16_t e) { return e != 0; }))) {
    unsupported(source, tags);
  }
  TiffLayout layout{.samples = tags.samples};
  const bool alpha = tags.samples > 3 && (extra.empty() || extra[0] != 0);
  // Pillow takes an alpha plane that no tag explains for a premultiplying one, if compressed.
  const bool unexplained = extra.empty() && tags.separate_planes && tags.compression != 1;
  const bool premultiplied = alpha && (unexplained || (!extra.empty() && extra[0] == 1));
  layout.mode = alpha ? Mode::kRgba : Mode::kRgb;
  if (wide) {
    layout.kind = premultiplied ? Kind::kHighPremultiplied : Kind::kHighBytes;
  } else {
    layout.kind = premultiplied ? Kind::kPremultiplied : Kind::kBytes;
  }
  return layout;
}

TiffLayout cmyk(const Source& source, const TiffTags& tags) {
  const bool wide = tags.bits == 16;
  if (tags.samples < 4 || (wide ? tags.samples != 4 : tags.bits != 8 || tags.samples > 6) ||
      static_cast<int>(tags.extra_samples.size()) != tags.samples - 4 ||
      std::any_of(tags.extra_samples.begin(), tags.extra_samples.end(),
                  [](uint16_t e) { return e != 0; })) {
    unsupported(source, tags);
  }
  return {
      .mode = Mode::kCmyk, .kind = wide ? Kind::kHighBytes : Kind::kBytes, .samples = tags.samples};
}

/// RGBa to RGBA of one pixel; `in` steps over samples of `size` bytes, the high one last.
void unpremultiply_pixel(const uint8_t* in, int64_t size, uint8_t* out) {
  const int alpha = in[3 * size];
  for (int64_t c = 0; c < 3; ++c) {
    const int value = in[c * size];
    out[c] = static_cast<uint8_t>(alpha == 0     ? 0
                                  : alpha == 255 ? value
                                                 : std::min(value * 255 / alpha, 255));
  }
  out[3] = static_cast<uint8_t>(alpha);
}

/// samples bytes of each pixel, `size` bytes apart, of which the mode keeps the first ones.
void copy_bytes(const TiffLayout& layout, const uint8_t* in, int64_t size, int64_t count,
                uint8_t* out) {
  const int64_t step = size * layout.samples;
  const int64_t kept = channels(layout.mode);
  for (int64_t i = 0; i < count; ++i, in += step, out += kept) {
    for (int64_t c = 0; c < kept; ++c) out[c] = in[size * c];
  }
}

}  // namespace

TiffLayout tiff_layout(const Source& source, const TiffTags& tags) {
  if (tags.photometric <= 1 && tags.samples == 1) return grey(source, tags);
  if (tags.sample_format != 1) unsupported(source, tags);
  if ((tags.photometric <= 1 || tags.photometric == 3) && tags.samples == 2) {
    return pair(source, tags);
  }
  if (tags.photometric == 2) return rgb(source, tags);
  if (tags.photometric == 3 && tags.samples == 1 && tags.bits <= 8) {
    return {.mode = Mode::kP, .kind = Kind::kPacked, .bits = tags.bits};
  }
  if (tags.photometric == 5) return cmyk(source, tags);
  if (tags.photometric == 6 && tags.bits == 8 && tags.samples == 1) return {};
  if (tags.photometric == 6 && tags.bits == 8 && tags.samples == 3) {
    return {.mode = Mode::kRgb, .samples = 3};
  }
  unsupported(source, tags);
}

void unpack_tiff_row(const TiffLayout& layout, const uint8_t* in, int64_t count, uint8_t* out) {
  constexpr int kHigh = 1;  // libtiff hands out native order
  switch (layout.kind) {
    case Kind::kPacked:
      unpack_bits(in, count, layout.bits, layout.mode == Mode::kP ? 1 : full_scale(layout.bits),
                  out);
      break;
    case Kind::kBytes:
      copy_bytes(layout, in, 1, count, out);
      break;
    case Kind::kHighBytes:
      copy_bytes(layout, in + kHigh, 2, count, out);
      break;
    case Kind::kPremultiplied:
      for (int64_t i = 0; i < count; ++i) {
        unpremultiply_pixel(in + i * layout.samples, 1, out + 4 * i);
      }
      break;
    case Kind::kHighPremultiplied:
      for (int64_t i = 0; i < count; ++i) {
        unpremultiply_pixel(in + i * layout.samples * 2 + kHigh, 2, out + 4 * i);
      }
      break;
    case Kind::k12:
      for (int64_t i = 0; i < count; ++i) {
        const uint8_t* three = in + i / 2 * 3;
        const auto value = static_cast<uint16_t>(i % 2 == 0 ? three[0] << 4 | three[1] >> 4
                                                            : (three[1] & 15) << 8 | three[2]);
        std::memcpy(out + 2 * i, &value, sizeof(value));
      }
      break;
    case Kind::k16:
      std::memcpy(out, in, static_cast<size_t>(count) * 2);
      break;
    case Kind::kSigned16:
      for (int64_t i = 0; i < count; ++i) {
        int16_t narrow = 0;
        std::memcpy(&narrow, in + 2 * i, sizeof(narrow));
        const int32_t value = narrow;
        std::memcpy(out + 4 * i, &value, sizeof(value));
      }
      break;
    case Kind::k32:
      std::memcpy(out, in, static_cast<size_t>(count) * 4);
      break;
  }
  if (!layout.inverted) return;
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(255 - out[i]);
}

}  // namespace clipnext::image

// BMP: OS/2 and Windows headers, 1 to 32 bits, masks, RLE. Modes, layouts and refusals as Pillow's
// (src/PIL/BmpImagePlugin.py).
#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "image/formats.h"
#include "image/unpack.h"

namespace clipnext::image {

namespace {

enum Compression : uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitfields = 3 };

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  int bits = 0;
  uint32_t compression = kRaw;
  uint32_t colors = 0;
  size_t palette_entry = 4;  // bytes
  size_t end = 0;            // of header and masks: where the palette begins
  size_t data = 0;
  std::array<uint32_t, 4> masks{};
};

/// A pixel as the file stores it, byte by byte: "BGR", "BGRX", ..., or a 16-bit split.
struct Layout {
  int bits;
  std::array<uint32_t, 4> masks;
  std::string_view order;
};

constexpr std::array<Layout, 11> kLayouts = {{{32, {0xFF0000, 0xFF00, 0xFF, 0}, "BGRX"},
                                              {32, {0xFF000000, 0xFF0000, 0xFF00, 0}, "XBGR"},
                                              {32, {0xFF000000, 0xFF00, 0xFF, 0}, "BGXR"},
                                              {32, {0xFF000000, 0xFF0000, 0xFF00, 0xFF}, "ABGR"},
                                              {32, {0xFF, 0xFF00, 0xFF0000, 0xFF000000}, "RGBA"},
                                              {32, {0xFF0000, 0xFF00, 0xFF, 0xFF000000}, "BGRA"},
                                              {32, {0xFF000000, 0xFF00, 0xFF, 0xFF0000}, "BGAR"},
                                              {32, {0, 0, 0, 0}, "BGRA"},
                                              {24, {0xFF0000, 0xFF00, 0xFF, 0}, "BGR"},
                                              {16, {0xF800, 0x7E0, 0x1F, 0}, "565"},
                                              {16, {0x7C00, 0x3E0, 0x1F, 0}, "555"}}};

void read_masks(const Source& source, size_t header_size, Header& header) {
  // From 56 bytes on the header has a mask for alpha; after 40 the masks follow the header.
  const size_t count = header_size >= 56 ? 4 : 3;
  for (size_t i = 0; i < count; ++i) header.masks[i] = source.u32le(54 + 4 * i);
  if (header_size < 52) header.end += 12;
}

Header read_header(const Source& source) {
  Header header;
  const size_t size = source.u32le(14);
  header.end = 14 + size;
  if (size == 12) {
    header.width = source.u16le(18);
    header.height = source.u16le(20);
    header.bits = static_cast<int>(source.u16le(24));
    header.palette_entry = 3;
  } else if (size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124) {
    source.slice(14, size);
    header.top_down = source.u8(25) == 0xFF;
    header.width = source.u32le(18);
    header.height = source.u32le(22);
    if (header.top_down) header.height = (int64_t{1} << 32) - header.height;
    header.bits = static_cast<int>(source.u16le(28));
    header.compression = source.u32le(30);
    header.colors = source.u32le(46);
    if (header.compression == kBitfields) read_masks(source, size, header);
  } else {
    source.refuse("BMP header of ", size, " bytes");
  }
  source.check_size(header.width, header.height);
  constexpr std::array<int, 6> kBits = {1, 4, 8, 16, 24, 32};
  if (std::find(kBits.begin(), kBits.end(), header.bits) == kBits.end()) {
    source.refuse("BMP of ", header.bits, " bits");
  }
  if (header.compression > kBitfields) source.refuse("BMP compression ", header.compression);
  if (header.colors == 0) header.colors = header.bits <= 16 ? 1u << header.bits : 0;
  header.data = source.u32le(10);
  // A file that puts its pixels right behind the header has a palette between them.
  if (header.data == 14 + size && header.bits <= 8) {
    header.data += header.palette_entry * header.colors;
  }
  return header;
}

struct Palette {
  Mode mode = Mode::kP;
  std::vector<uint8_t> rgb;
};

/// A palette that is black and white, or a grey ramp, is dropped in favour of mode 1 or L.
Palette read_palette(const Source& source, const Header& header) {
  if (header.colors == 0 || header.colors > 65536) {
    source.refuse("BMP palette of ", header.colors, " colours");
  }
  const size_t entry = header.palette_entry;
  const size_t begin = std::min(header.end, source.bytes.size());
  const auto bytes =
      source.bytes.subspan(begin, std::min(entry * header.colors, source.bytes.size() - begin));
  Palette palette;
  bool grey = bytes.size() == entry * header.colors;
  for (size_t i = 0; i + entry <= bytes.size(); i += entry) {
    const auto expected = static_cast<uint8_t>(header.colors == 2 && i > 0 ? 255 : i / entry);
    grey = grey && bytes[i] == expected && bytes[i + 1] == expected && bytes[i + 2] == expected;
    palette.rgb.insert(palette.rgb.end(), {bytes[i + 2], bytes[i + 1], bytes[i]});
  }
  if (grey) return {header.colors <= 2 ? Mode::k1 : Mode::kL, {}};
  if (palette.rgb.size() > 768) source.refuse("BMP palette of ", header.colors, " colours");
  return palette;
}

const Layout& find_layout(const Source& source, const Header& header) {
  const bool masked = header.compression == kBitfields;
  std::array<uint32_t, 4> masks = header.masks;
  if (!masked) {
    masks = header.bits == 16 ? kLayouts.back().masks : kLayouts.front().masks;
  } else if (header.bits != 32) {
    masks[3] = 0;
  }
  const auto* found = std::find_if(kLayouts.begin(), kLayouts.end(), [&](const Layout& l) {
    return l.bits == header.bits && l.masks == masks;
  });
  if (found == kLayouts.end()) source.refuse("unsupported BMP colour masks");
  return *found;
}

/// Calls row(bytes, y) for each row of raw pixels, `used` bytes of each needed.
template <class F>
void each_row(const Source& source, const Header& header, int bits, const F& row) {
  const int64_t stride = (header.width * header.bits + 31) / 32 * 4;
  const int64_t used = (header.width * bits + 7) / 8;
  if (used > stride) source.refuse("BMP palette does not fit its ", header.bits, " bits");
  for (int64_t i = 0; i < header.height; ++i) {
    const auto bytes =
        source.slice(header.data + static_cast<size_t>(i * stride), static_cast<size_t>(used));
    row(bytes.data(), header.top_down ? i : header.height - 1 - i);
  }
}

Image read_colors(const Source& source, const Header& header) {
  const Layout& layout = find_layout(source, header);
  const bool alpha = layout.order.find('A') != std::string_view::npos;
  Image image = make_image(alpha ? Mode::kRgba : Mode::kRgb, header.width, header.height);
  const auto pixel = static_cast<size_t>(channels(image.mode));
  each_row(source, header, header.bits, [&](const uint8_t* in, int64_t y) {
    uint8_t* out = &image.data[static_cast<size_t>(y * header.width) * pixel];
    for (int64_t x = 0; x < header.width; ++x, out += pixel) {
      if (header.bits == 16) {
        const int value = in[2 * x] | in[2 * x + 1] << 8;
        const int green_bits = layout.order == "565" ? 6 : 5;
        const int green = (1 << green_bits) - 1;
        out[0] = static_cast<uint8_t>((value >> (5 + green_bits) & 31) * 255 / 31);
        out[1] = static_cast<uint8_t>((value >> 5 & green) * 255 / green);
        out[2] = static_cast<uint8_t>((value & 31) * 255 / 31);
        continue;
      }
      for (size_t i = 0; i < layout.order.size(); ++i) {
        const size_t channel = std::string_view("RGBA").find(layout.order[i]);
        if (channel < pixel) out[channel] = in[static_cast<size_t>(x) * layout.order.size() + i];
      }
    }
  });
  return image;
}

Image read_indices(const Source& source, const Header& header, Palette palette) {
  // Pillow reads a file whose palette was dropped as packed as its new mode is.
  const int bits = palette.mode == Mode::kP ? header.bits : palette.mode == Mode::k1 ? 1 : 8;
  Image image = make_image(palette.mode, header.width, header.height);
  image.palette = std::move(palette.rgb);
  each_row(source, header, bits, [&](const uint8_t* in, int64_t y) {
    unpack_bits(in, header.width, bits, image.mode == Mode::k1 ? 255 : 1,
                &image.data[static_cast<size_t>(y * header.width)]);
  });
  return image;
}

/// Run-length decoding to indices in file order; fewer than the image needs if the data ends early.
class Rle {
 public:
  Rle(const Source& source, const Header& header)
      : source_(source),
        four_(header.compression == kRle4),
        width_(static_cast<size_t>(header.width)),
        total_(width_ * static_cast<size_t>(header.height)),
        at_(header.data) {}

  std::vector<uint8_t> read() {
    uint8_t count = 0, value = 0;
    while (out_.size() < total_ && byte(count) && byte(value)) {
      if (count > 0) {
        run(count, value);
      } else if (value == 0) {
        while (out_.size() % width_ != 0) out_.push_back(0);
        x_ = 0;
      } else if (value == 1 || !(value == 2 ? skip() : literal(value))) {
        break;
      }
    }
    return std::move(out_);
  }

 private:
  bool byte(uint8_t& value) {
    if (at_ >= source_.bytes.size()) return false;
    value = source_.bytes[at_++];
    return true;
  }

  void run(size_t count, uint8_t value) {
    count = x_ + count > width_ ? width_ - std::min(x_, width_) : count;
    for (size_t i = 0; i < count; ++i) {
      out_.push_back(!four_ ? value : i % 2 == 0 ? value >> 4 : value & 15);
    }
    x_ += count;
  }

  bool skip() {
    uint8_t right = 0, up = 0;
    if (!byte(right) || !byte(up)) return false;
    out_.resize(out_.size() + std::min(total_ - out_.size(), right + up * width_));
    x_ = out_.size() % width_;
    return true;
  }

  bool literal(size_t count) {
    const size_t wanted = std::min(total_ - out_.size(), count);
    for (size_t i = 0; i < wanted; i += four_ ? 2 : 1) {
      uint8_t value = 0;
      if (!byte(value)) return false;
      out_.push_back(four_ ? value >> 4 : value);
      if (four_ && i + 1 < wanted) out_.push_back(value & 15);
    }
    if (out_.size() == total_) return false;
    x_ += count;
    at_ += at_ % 2;  // runs are aligned within the file
    return true;
  }

  const Source& source_;
  bool four_;
  size_t width_, total_, at_, x_ = 0;
  std::vector<uint8_t> out_;
};

Image read_rle(const Source& source, const Header& header, Palette palette) {
  const std::vector<uint8_t> indices = Rle(source, header).read();
  const auto width = static_cast<size_t>(header.width);
  const auto height = static_cast<size_t>(header.height);
  if (indices.size() < width * height) source.truncated();
  Image image = make_image(palette.mode, header.width, header.height);
  image.palette = std::move(palette.rgb);
  for (size_t i = 0; i < height; ++i) {
    const size_t y = header.top_down ? i : height - 1 - i;
    std::memcpy(&image.data[y * width], &indices[i * width], width);
  }
  if (image.mode == Mode::k1) {
    for (uint8_t& value : image.data) value = value != 0 ? 255 : 0;
  }
  return image;
}

}  // namespace

Image decode_bmp(const Source& source) {
  Header header = read_header(source);
  if (header.bits > 8) {
    if (header.compression == kRle8 || header.compression == kRle4) {
      source.refuse("run-length BMP of ", header.bits, " bits");
    }
    if (header.data == 0) header.data = header.end;
    return read_colors(source, header);
  }
  if (header.compression == kBitfields) source.refuse("BMP colour masks with a palette");
  if (header.data == 0) header.data = header.end + header.palette_entry * header.colors;
  Palette palette = read_palette(source, header);
  return header.compression == kRaw ? read_indices(source, header, std::move(palette))
                                    : read_rle(source, header, std::move(palette));
}

}  // namespace clipnext::image

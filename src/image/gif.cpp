// GIF, first frame: blocks, LZW, interlacing. Modes and refusals as Pillow's
// (src/PIL/GifImagePlugin.py, src/libImaging/GifDecode.c).
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "image/formats.h"

namespace clipnext::image {

namespace {

struct Frame {
  int64_t left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  bool has_palette = false;
  std::vector<uint8_t> palette;  // empty if it is a grey ramp
  size_t data = 0;               // where the LZW code size is
};

struct Screen {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> palette;
  std::optional<uint8_t> transparent;
};

/// A colour table at offset; empty if it only says what a grey image would show.
std::vector<uint8_t> read_palette(const Source& source, size_t offset, int flags) {
  const auto table = source.slice(offset, size_t{3} << ((flags & 7) + 1));
  for (size_t i = 0; i < table.size(); ++i) {
    if (table[i] != i / 3) return {table.begin(), table.end()};
  }
  return {};
}

/// Skips data sub-blocks up to and with the empty one; a file may end inside them.
size_t skip_blocks(const Source& source, size_t offset) {
  while (offset < source.bytes.size() && source.bytes[offset] != 0) {
    offset += size_t{1} + source.bytes[offset];
  }
  return offset + 1;
}

/// An extension after its '!'; returns where it ends. Pillow takes one block (two of NETSCAPE2.0)
/// without looking whether it is the empty one.
size_t read_extension(const Source& source, size_t offset, Screen& screen) {
  constexpr uint8_t kGraphicControl = 249, kComment = 254, kApplication = 255;
  const uint8_t label = source.u8(offset++);
  if (label == kComment) return skip_blocks(source, offset);
  const auto block = source.slice(offset + 1, source.u8(offset));
  if (label == kGraphicControl && !block.empty()) {
    const bool transparent = (block[0] & 1) != 0;
    if (block.size() < (transparent ? 4 : 3)) {
      source.refuse("GIF graphic control of ", block.size(), " bytes");
    }
    if (transparent) screen.transparent = block[3];
  }
  offset += 1 + block.size();
  constexpr std::string_view kLoop = "NETSCAPE2.0";
  if (label == kApplication && block.size() >= kLoop.size() &&
      std::equal(kLoop.begin(), kLoop.end(), block.begin())) {
    offset += size_t{1} + source.u8(offset);
  }
  return skip_blocks(source, offset);
}

Frame read_descriptor(const Source& source, size_t offset) {
  Frame frame;
  frame.left = source.u16le(offset);
  frame.top = source.u16le(offset + 2);
  frame.width = source.u16le(offset + 4);
  frame.height = source.u16le(offset + 6);
  const int flags = source.u8(offset + 8);
  frame.interlaced = (flags & 64) != 0;
  frame.has_palette = (flags & 128) != 0;
  offset += 9;
  if (frame.has_palette) {
    frame.palette = read_palette(source, offset, flags);
    offset += size_t{3} << ((flags & 7) + 1);
  }
  frame.data = offset;
  return frame;
}

/// Everything up to the first frame's pixels.
Frame read_header(const Source& source, Screen& screen) {
  screen.width = source.u16le(6);
  screen.height = source.u16le(8);
  const int flags = source.u8(10);
  size_t offset = source.slice(0, 13).size();
  if ((flags & 128) != 0) {
    screen.palette = read_palette(source, offset, flags);
    offset += size_t{3} << ((flags & 7) + 1);
  }
  while (offset < source.bytes.size() && source.bytes[offset] != ';') {
    const uint8_t kind = source.bytes[offset++];
    if (kind == ',') return read_descriptor(source, offset);
    if (kind == '!') offset = read_extension(source, offset, screen);
  }
  source.refuse("GIF without an image");
}

/// The order in which an interlaced frame's rows come.
class Rows {
 public:
  Rows(int64_t height, bool interlaced) : height_(height), pass_(interlaced ? 0 : 4) {
    step_ = interlaced ? 8 : 1;
  }
  int64_t current() const { return y_; }
  /// False after the last row.
  bool advance() {
    constexpr std::array<int64_t, 4> kStart = {0, 4, 2, 1}, kStep = {8, 8, 4, 2};
    y_ += step_;
    while (y_ >= height_) {
      if (pass_ >= 3) return false;
      ++pass_;
      y_ = kStart[pass_];
      step_ = kStep[pass_];
    }
    return true;
  }

 private:
  int64_t height_, y_ = 0, step_ = 1;
  size_t pass_;
};

/// Variable-length codes out of data sub-blocks. Only whole blocks are read.
class Codes {
 public:
  Codes(const Source& source, size_t offset) : source_(source), offset_(offset) {}

  int next(int size) {
    while (count_ < size) {
      if (left_ == 0) {
        left_ = source_.u8(offset_++);
        source_.slice(offset_, left_);
        continue;
      }
      bits_ |= uint32_t{source_.bytes[offset_++]} << count_;
      count_ += 8;
      --left_;
    }
    const auto code = static_cast<int>(bits_ & ((uint32_t{1} << size) - 1));
    bits_ >>= size;
    count_ -= size;
    return code;
  }

 private:
  const Source& source_;
  size_t offset_;
  size_t left_ = 0;
  uint32_t bits_ = 0;
  int count_ = 0;
};

/// The dictionary: each code is another code and one more pixel.
class Lzw {
 public:
  Lzw(const Source& source, size_t offset)
      : source_(source), bits_(source.u8(offset)), codes_(source, offset + 1) {
    if (bits_ > kMaxBits) source.refuse("GIF code size of ", bits_, " bits");
    clear();
  }

  /// The next run of pixels, valid until the next call.
  std::span<const uint8_t> next() {
    for (;;) {
      const int code = codes_.next(size_);
      if (code == 1 << bits_) {
        clear();
      } else if (code == (1 << bits_) + 1) {
        source_.truncated();  // asked for more after the end code
      } else if (fresh_) {
        return first(code);
      } else {
        return expand(code);
      }
    }
  }

 private:
  static constexpr int kMaxBits = 12;
  static constexpr int kTable = 1 << kMaxBits;

  void clear() {
    next_ = (1 << bits_) + 2;
    size_ = bits_ + 1;
    fresh_ = true;
  }

  std::span<const uint8_t> first(int code) {
    if (code > 1 << bits_) broken();
    fresh_ = false;
    last_code_ = code;
    last_pixel_ = static_cast<uint8_t>(code);
    return {&last_pixel_, 1};
  }

  std::span<const uint8_t> expand(int code) {
    if (code > next_) broken();
    size_t begin = run_.size();
    int at = code;
    if (at == next_) {
      run_[--begin] = last_pixel_;
      at = last_code_;
    }
    while (at >= 1 << bits_) {
      if (begin == 0 || at >= kTable) broken();
      run_[--begin] = pixel_[static_cast<size_t>(at)];
      at = link_[static_cast<size_t>(at)];
    }
    last_pixel_ = static_cast<uint8_t>(at);
    add(at);
    last_code_ = code;
    if (begin == 0) broken();
    run_[--begin] = last_pixel_;
    return {&run_[begin], run_.size() - begin};
  }

  void add(int pixel) {
    if (next_ >= kTable) return;
    pixel_[static_cast<size_t>(next_)] = static_cast<uint8_t>(pixel);
    link_[static_cast<size_t>(next_)] = static_cast<uint16_t>(last_code_);
    if (next_ == (1 << size_) - 1 && size_ < kMaxBits) ++size_;
    ++next_;
  }

  [[noreturn]] void broken() const { source_.refuse("broken GIF image data"); }

  const Source& source_;
  int bits_;
  Codes codes_;
  int next_ = 0, size_ = 0, last_code_ = 0;
  bool fresh_ = true;
  uint8_t last_pixel_ = 0;
  std::array<uint8_t, kTable> pixel_{};
  std::array<uint16_t, kTable> link_{};
  std::array<uint8_t, kTable + 2> run_{};
};

void read_pixels(const Source& source, const Frame& frame, Image& image) {
  Lzw lzw(source, frame.data);
  Rows rows(frame.height, frame.interlaced);
  const auto row_at = [&](int64_t y) {
    return &image.data[static_cast<size_t>((frame.top + y) * image.width + frame.left)];
  };
  uint8_t* out = row_at(0);
  int64_t x = 0;
  for (;;) {
    for (const uint8_t pixel : lzw.next()) {
      out[x] = pixel;
      if (++x < frame.width) continue;
      if (!rows.advance()) return;
      out = row_at(rows.current());
      x = 0;
    }
  }
}

}  // namespace

Image decode_gif(const Source& source) {
  Screen screen;
  Frame frame = read_header(source, screen);
  if (frame.width == 0 || frame.height == 0) source.refuse("GIF with an empty frame");
  // Pillow widens the canvas to hold the frame.
  const int64_t width = std::max(screen.width, frame.left + frame.width);
  const int64_t height = std::max(screen.height, frame.top + frame.height);
  source.check_size(width, height);
  std::vector<uint8_t>& palette = frame.has_palette ? frame.palette : screen.palette;
  Image image = make_image(palette.empty() ? Mode::kL : Mode::kP, width, height);
  image.palette = std::move(palette);
  std::fill(image.data.begin(), image.data.end(), screen.transparent.value_or(0));
  read_pixels(source, frame, image);
  return image;
}

}  // namespace clipnext::image

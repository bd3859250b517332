// PBM, PGM and PPM, plain and binary, to 16 bits. Modes, scaling, comments and refusals as Pillow's
// (src/PIL/PpmImagePlugin.py): more than 8 bits of grey are mode I, of colour are scaled to 8.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "image/formats.h"
#include "image/unpack.h"

namespace clipnext::image {

namespace {

bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Reads numbers in text. A comment ends with its line and does not end the number it stands in.
class Tokens {
 public:
  Tokens(const Source& source, size_t position) : source_(source), position_(position) {}

  size_t position() const { return position_; }
  size_t left() const { return source_.bytes.size() - position_; }

  // Up to and with the white space behind it; the end of the file ends it too.
  int64_t number() {
    constexpr size_t kMaxDigits = 10;
    int64_t value = 0;
    size_t digits = 0;
    while (const auto c = next()) {
      if (is_space(*c)) {
        if (digits == 0) continue;
        break;
      }
      if (*c < '0' || *c > '9') source_.refuse("a number in the image file is not one");
      if (++digits > kMaxDigits) source_.refuse("a number in the image file is too long");
      value = 10 * value + (*c - '0');
    }
    if (digits == 0) source_.truncated();
    return value;
  }

  // One character that is not white space: plain bitmaps need none between their pixels.
  uint8_t character() {
    while (const auto c = next()) {
      if (!is_space(*c)) return *c;
    }
    source_.truncated();
  }

 private:
  // The next byte outside comments, nothing at the end.
  std::optional<uint8_t> next() {
    const auto bytes = source_.bytes;
    bool comment = false;
    while (position_ < bytes.size()) {
      const uint8_t c = bytes[position_++];
      if (!comment && c != '#') return c;
      comment = comment ? c != '\n' && c != '\r' : true;
    }
    return std::nullopt;
  }

  const Source& source_;
  size_t position_;
};

struct Header {
  char kind = '6';  // the digit of P1 to P6
  int64_t width = 0, height = 0;
  int64_t largest = 1;  // sample
  Mode mode = Mode::kRgb;

  bool plain() const { return kind <= '3'; }
  int64_t samples() const { return width * height * channels(mode); }
  // What `largest` becomes.
  int64_t scale() const { return mode == Mode::kI ? 65535 : 255; }
};

Header read_header(const Source& source, Tokens& tokens) {
  Header header;
  header.kind = static_cast<char>(source.u8(1));
  header.width = tokens.number();
  header.height = tokens.number();
  const bool bitmap = header.kind == '1' || header.kind == '4';
  if (!bitmap) {
    header.largest = tokens.number();
    if (header.largest <= 0 || header.largest > 65535) {
      source.refuse("samples up to ", header.largest, ", expected 1 to 65535");
    }
  }
  const bool grey = header.kind == '2' || header.kind == '5';
  header.mode = bitmap ? Mode::k1 : !grey ? Mode::kRgb : header.largest > 255 ? Mode::kI : Mode::kL;
  source.check_size(header.width, header.height);
  return header;
}

// value of `largest` as a part of `scale`, rounded to even as Python does.
int32_t scaled(int64_t value, const Header& header) {
  const double part = static_cast<double>(value) / static_cast<double>(header.largest);
  const double wide = std::nearbyint(part * static_cast<double>(header.scale()));
  return static_cast<int32_t>(std::min(wide, static_cast<double>(header.scale())));
}

void store(Image& image, int64_t index, int32_t value) {
  if (image.mode == Mode::kI) {
    std::memcpy(image.data.data() + 4 * index, &value, sizeof value);
  } else {
    image.data[static_cast<size_t>(index)] = static_cast<uint8_t>(value);
  }
}

void read_plain(const Source& source, Tokens& tokens, const Header& header, Image& image) {
  for (int64_t i = 0; i < header.samples(); ++i) {
    if (header.kind == '1') {
      const uint8_t c = tokens.character();
      if (c != '0' && c != '1') source.refuse("a pixel of the bitmap is neither 0 nor 1");
      image.data[static_cast<size_t>(i)] = c == '0' ? 255 : 0;
      continue;
    }
    const int64_t value = tokens.number();
    if (value > header.largest) {
      source.refuse("a sample of ", value, " where the header allows ", header.largest);
    }
    store(image, i, scaled(value, header));
  }
}

void read_bitmap(std::span<const uint8_t> rows, const Header& header, Image& image) {
  const int64_t row_bytes = (header.width + 7) / 8;
  for (int64_t y = 0; y < header.height; ++y) {
    unpack_bits(rows.data() + y * row_bytes, header.width, 1, 255,
                image.data.data() + y * header.width);
  }
  for (uint8_t& pixel : image.data) pixel = static_cast<uint8_t>(~pixel);  // 1 is black
}

void read_samples(std::span<const uint8_t> data, const Header& header, Image& image) {
  const bool wide = header.largest > 255;
  for (int64_t i = 0; i < header.samples(); ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t value = wide ? data[2 * at] << 8 | data[2 * at + 1] : data[at];
    store(image, i, scaled(value, header));
  }
}

}  // namespace

Image decode_pnm(const Source& source) {
  Tokens tokens(source, 2);
  const Header header = read_header(source, tokens);
  const int64_t sample_size = header.largest > 255 ? 2 : 1;
  // Plain samples take a byte at least.
  const int64_t bytes = header.kind == '4' ? (header.width + 7) / 8 * header.height
                        : header.plain()   ? header.samples()
                                           : header.samples() * sample_size;
  if (bytes > static_cast<int64_t>(tokens.left())) source.truncated();
  Image image = make_image(header.mode, header.width, header.height);
  if (header.plain()) {
    read_plain(source, tokens, header, image);
    return image;
  }
  const auto data = source.slice(tokens.position(), static_cast<size_t>(bytes));
  if (header.kind == '4') {
    read_bitmap(data, header, image);
  } else if (header.largest == 255) {
    std::copy(data.begin(), data.end(), image.data.begin());
  } else {
    read_samples(data, header, image);
  }
  return image;
}

}  // namespace clipnext::image

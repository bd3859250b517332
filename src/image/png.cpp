// PNG over zlib: chunks, inflation row by row, filters, Adam7. Accepts and refuses what Pillow does
// (src/PIL/PngImagePlugin.py, src/libImaging/ZipDecode.c): checksums count before the pixels only,
// rows missing after a complete stream stay black, an APNG is its first frame.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "image/formats.h"
#include "image/unpack.h"

namespace clipnext::image {

namespace {

struct Chunk {
  std::string_view type;
  size_t offset = 0;  // of the data
  size_t size = 0;
};

struct Header {
  Mode mode = Mode::kL;
  int64_t width = 0, height = 0;
  int bits = 8;
  int samples = 1;
  bool interlaced = false;
  // Where the pixels go: all of the image, but for an APNG whose first frame is smaller.
  int64_t left = 0, top = 0, tile_width = 0, tile_height = 0;
  std::vector<uint8_t> palette;

  int64_t row_bytes(int64_t pixels) const { return (pixels * samples * bits + 7) / 8; }
  int64_t filter_step() const { return (samples * bits + 7) / 8; }
};

bool is_name(std::span<const uint8_t> type) {
  return std::all_of(type.begin(), type.end(), [](uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  });
}

Chunk chunk_at(const Source& source, size_t offset) {
  const auto type = source.slice(offset + 4, 4);
  if (!is_name(type)) source.refuse("broken PNG chunk at byte ", offset);
  return {{reinterpret_cast<const char*>(type.data()), 4}, offset + 8, source.u32be(offset)};
}

/// The chunk's data; truncated() if the file ends inside it.
std::span<const uint8_t> data_of(const Source& source, const Chunk& chunk) {
  return source.slice(chunk.offset, chunk.size);
}

void check_crc(const Source& source, const Chunk& chunk) {
  const auto covered = source.slice(chunk.offset - 4, chunk.size + 4);
  const auto found = crc32_z(0, covered.data(), covered.size());
  if (found != source.u32be(chunk.offset + chunk.size)) {
    source.refuse("PNG chunk ", chunk.type, " has a wrong checksum");
  }
}

/// Sizes that Pillow insists on, so that both refuse the same files.
void check_ancillary(const Source& source, const Chunk& chunk) {
  struct Minimum {
    std::string_view type;
    size_t size;
  };
  constexpr std::array<Minimum, 6> kMinima = {
      {{"gAMA", 4}, {"cHRM", 32}, {"sRGB", 1}, {"pHYs", 9}, {"acTL", 8}, {"fcTL", 26}}};
  for (const Minimum& minimum : kMinima) {
    if (chunk.type == minimum.type && chunk.size < minimum.size) {
      source.refuse("PNG chunk ", chunk.type, " has ", chunk.size, " bytes, needs ", minimum.size);
    }
  }
  if (chunk.type != "iCCP" && chunk.type != "zTXt") return;
  // Name, zero byte, compression method.
  const auto data = data_of(source, chunk);
  const auto zero = std::find(data.begin(), data.end(), uint8_t{0});
  const bool known = data.end() - zero < 2 || zero[1] == 0;
  if (!known) source.refuse("PNG chunk ", chunk.type, " has an unknown compression");
}

struct Layout {
  int bits, color;
  Mode mode;
  int samples;
};

void read_ihdr(const Source& source, const Chunk& chunk, Header& header) {
  if (chunk.size < 13) source.refuse("PNG header of ", chunk.size, " bytes");
  header.width = source.u32be(chunk.offset);
  header.height = source.u32be(chunk.offset + 4);
  source.check_size(header.width, header.height);
  header.tile_width = header.width;
  header.tile_height = header.height;
  header.bits = source.u8(chunk.offset + 8);
  const int color = source.u8(chunk.offset + 9);
  if (source.u8(chunk.offset + 11) != 0) source.refuse("unknown PNG filter method");
  header.interlaced = source.u8(chunk.offset + 12) != 0;
  constexpr std::array<Layout, 15> kLayouts = {{{1, 0, Mode::k1, 1},
                                                {2, 0, Mode::kL, 1},
                                                {4, 0, Mode::kL, 1},
                                                {8, 0, Mode::kL, 1},
                                                {16, 0, Mode::kI16, 1},
                                                {8, 2, Mode::kRgb, 3},
                                                {16, 2, Mode::kRgb, 3},
                                                {1, 3, Mode::kP, 1},
                                                {2, 3, Mode::kP, 1},
                                                {4, 3, Mode::kP, 1},
                                                {8, 3, Mode::kP, 1},
                                                {8, 4, Mode::kLA, 2},
                                                {16, 4, Mode::kRgba, 2},
                                                {8, 6, Mode::kRgba, 4},
                                                {16, 6, Mode::kRgba, 4}}};
  const auto* layout = std::find_if(kLayouts.begin(), kLayouts.end(), [&](const Layout& l) {
    return l.bits == header.bits && l.color == color;
  });
  if (layout == kLayouts.end()) {
    source.refuse("PNG with ", header.bits, " bits and colour type ", color);
  }
  header.mode = layout->mode;
  header.samples = layout->samples;
}

/// The frame that the image data of an APNG is for.
void read_fctl(const Source& source, const Chunk& chunk, Header& header) {
  header.tile_width = source.u32be(chunk.offset + 4);
  header.tile_height = source.u32be(chunk.offset + 8);
  header.left = source.u32be(chunk.offset + 12);
  header.top = source.u32be(chunk.offset + 16);
  if (header.tile_width == 0 || header.tile_height == 0 ||
      header.left + header.tile_width > header.width ||
      header.top + header.tile_height > header.height) {
    source.refuse("APNG frame outside the image");
  }
}

bool holds_pixels(const Chunk& chunk) { return chunk.type == "IDAT" || chunk.type == "fdAT"; }

/// Everything before the pixels; leaves `offset` at the first chunk with pixels.
Header read_header(const Source& source, size_t& offset) {
  Header header;
  for (offset = 8;;) {
    const Chunk chunk = chunk_at(source, offset);
    if (holds_pixels(chunk)) break;
    if (chunk.type == "IEND") source.refuse("PNG without image data");
    const auto data = data_of(source, chunk);
    check_ancillary(source, chunk);
    if (chunk.type == "IHDR") {
      read_ihdr(source, chunk, header);
    } else if (chunk.type == "PLTE" && header.mode == Mode::kP) {
      if (data.size() > 768) source.refuse("PNG palette of ", data.size(), " bytes");
      header.palette.assign(data.begin(), data.end());
    } else if (chunk.type == "fcTL") {
      read_fctl(source, chunk, header);
    }
    check_crc(source, chunk);
    offset = chunk.offset + chunk.size + 4;
  }
  if (header.width == 0) source.refuse("PNG without a header");
  return header;
}

/// The compressed bytes of consecutive chunks, one chunk at a time.
class Pieces {
 public:
  Pieces(const Source& source, size_t offset) : source_(source), offset_(offset) {}

  /// The next chunk's bytes that are there, never empty; truncated() if there are none.
  std::span<const uint8_t> next() {
    for (;;) {
      Chunk chunk = chunk_at(source_, offset_);
      if (!holds_pixels(chunk)) source_.truncated();
      offset_ = chunk.offset + chunk.size + 4;
      const size_t number = chunk.type == "fdAT" ? 4 : 0;  // a sequence number comes first
      if (chunk.size <= number || chunk.offset + number >= source_.bytes.size()) continue;
      const size_t begin = chunk.offset + number;
      return source_.bytes.subspan(begin,
                                   std::min(chunk.size - number, source_.bytes.size() - begin));
    }
  }
  size_t offset() const { return offset_; }

 private:
  const Source& source_;
  size_t offset_;
};

class Inflater {
 public:
  explicit Inflater(const Source& source) : source_(source) {
    if (inflateInit(&stream_) != Z_OK) source.refuse("zlib cannot start");
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Fills `row` from the stream.
  void read(std::span<uint8_t> row, Pieces& pieces) {
    stream_.next_out = row.data();
    stream_.avail_out = static_cast<uInt>(row.size());
    while (stream_.avail_out > 0) {
      if (stream_.avail_in == 0) {
        const auto piece = pieces.next();
        stream_.next_in = const_cast<Bytef*>(piece.data());  // zlib's interface predates const
        stream_.avail_in = static_cast<uInt>(piece.size());
      }
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status < 0) source_.refuse("broken PNG image data");
      if (status == Z_STREAM_END) ended_ = true;
      if (status != Z_OK && stream_.avail_out > 0) source_.truncated();
    }
  }
  bool ended() const { return ended_; }

 private:
  const Source& source_;
  z_stream stream_{};
  bool ended_ = false;
};

uint8_t paeth(int left, int up, int corner) {
  const int to_left = std::abs(up - corner);
  const int to_up = std::abs(left - corner);
  const int to_corner = std::abs(left + up - 2 * corner);
  if (to_left <= to_up && to_left <= to_corner) return static_cast<uint8_t>(left);
  return static_cast<uint8_t>(to_up <= to_corner ? up : corner);
}

/// Undoes the filter of row[1..], named by row[0]; `above` is the row before, likewise.
void unfilter(const Source& source, std::vector<uint8_t>& row, const std::vector<uint8_t>& above,
              size_t size, size_t step) {
  const auto add = [&](size_t i, int value) { row[i] = static_cast<uint8_t>(row[i] + value); };
  switch (row[0]) {
    case 0:
      return;
    case 1:
      for (size_t i = step + 1; i <= size; ++i) add(i, row[i - step]);
      return;
    case 2:
      for (size_t i = 1; i <= size; ++i) add(i, above[i]);
      return;
    case 3:
      for (size_t i = 1; i <= std::min(step, size); ++i) add(i, above[i] / 2);
      for (size_t i = step + 1; i <= size; ++i) add(i, (row[i - step] + above[i]) / 2);
      return;
    case 4:
      for (size_t i = 1; i <= std::min(step, size); ++i) add(i, above[i]);
      for (size_t i = step + 1; i <= size; ++i) {
        add(i, paeth(row[i - step], above[i], above[i - step]));
      }
      return;
    default:
      source.refuse("unknown PNG row filter ", int{row[0]});
  }
}

/// count pixels of a row as the file has them, to the image's mode.
void unpack(const Header& header, const uint8_t* in, int64_t count, uint8_t* out) {
  if (header.bits < 8) {
    const int scale = header.mode == Mode::kP ? 1 : full_scale(header.bits);
    unpack_bits(in, count, header.bits, scale, out);
  } else if (header.bits == 8) {
    std::memcpy(out, in, static_cast<size_t>(count * header.samples));
  } else if (header.mode == Mode::kI16) {
    for (int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<uint16_t>(in[2 * i] << 8 | in[2 * i + 1]);
      std::memcpy(out + 2 * i, &value, sizeof(value));
    }
  } else if (header.samples == 2) {  // LA becomes RGBA
    for (int64_t i = 0; i < count; ++i) {
      std::memset(out + 4 * i, in[4 * i], 3);
      out[4 * i + 3] = in[4 * i + 2];
    }
  } else {
    for (int64_t i = 0; i < count * header.samples; ++i) out[i] = in[2 * i];
  }
}

/// One of Adam7's seven reduced images, or the whole as the only one.
struct Pass {
  int64_t x, y, step_x, step_y;
};

constexpr std::array<Pass, 7> kAdam7 = {{{0, 0, 8, 8},
                                         {4, 0, 8, 8},
                                         {0, 4, 4, 8},
                                         {2, 0, 4, 4},
                                         {0, 2, 2, 4},
                                         {1, 0, 2, 2},
                                         {0, 1, 1, 2}}};
constexpr std::array<Pass, 1> kWhole = {{{0, 0, 1, 1}}};

/// Reads the rows of one pass; false if the stream ended before them, between two rows.
bool read_pass(const Source& source, const Header& header, const Pass& pass, Inflater& inflater,
               Pieces& pieces, Image& image) {
  const int64_t count = (header.tile_width - pass.x + pass.step_x - 1) / pass.step_x;
  if (count <= 0) return true;
  const auto size = static_cast<size_t>(header.row_bytes(count));
  const auto pixel = pixel_bytes(image.mode);
  std::vector<uint8_t> row(size + 1), above(size + 1);
  std::vector<uint8_t> pixels(static_cast<size_t>(count) * pixel);
  for (int64_t y = pass.y; y < header.tile_height; y += pass.step_y) {
    if (inflater.ended()) return false;
    inflater.read(row, pieces);
    unfilter(source, row, above, size, static_cast<size_t>(header.filter_step()));
    unpack(header, row.data() + 1, count, pixels.data());
    uint8_t* out =
        &image.data[static_cast<size_t>((header.top + y) * header.width + header.left + pass.x) *
                    pixel];
    if (pass.step_x == 1) {
      std::memcpy(out, pixels.data(), pixels.size());
    } else {
      for (size_t i = 0; i < pixels.size(); i += pixel) {
        std::memcpy(out + i * static_cast<size_t>(pass.step_x), &pixels[i], pixel);
      }
    }
    row.swap(above);
  }
  return true;
}

/// What follows the pixels: Pillow reads it too, and refuses a file that breaks off inside it.
void read_trailer(const Source& source, size_t offset) {
  while (offset + 8 <= source.bytes.size() && is_name(source.slice(offset + 4, 4))) {
    const Chunk chunk = chunk_at(source, offset);
    if (chunk.type == "IEND" || chunk.type == "fcTL") return;
    data_of(source, chunk);
    check_ancillary(source, chunk);
    offset = chunk.offset + chunk.size + 4;
  }
}

}  // namespace

Image decode_png(const Source& source) {
  size_t offset = 0;
  Header header = read_header(source, offset);
  Pieces pieces(source, offset);
  Inflater inflater(source);
  // Before anything of the image's size is allocated there must be a first piece.
  Pieces(source, offset).next();
  Image image = make_image(header.mode, header.width, header.height);
  image.palette = std::move(header.palette);
  const std::span<const Pass> passes = header.interlaced ? std::span<const Pass>(kAdam7) : kWhole;
  for (const Pass& pass : passes) {
    if (!read_pass(source, header, pass, inflater, pieces, image)) break;
  }
  read_trailer(source, pieces.offset());
  return image;
}

}  // namespace clipnext::image

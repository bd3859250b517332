// TIFF by libtiff: first page; strips or tiles, any compression the library has. Modes and
// orientation as Pillow's, which turns a TIFF (and only a TIFF) upright.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "image/formats.h"
#include "image/tiff_layout.h"

namespace clipnext::image {

namespace {

/// The file in memory as libtiff's client, and the last thing it complained about.
struct Client {
  std::span<const uint8_t> bytes;
  toff_t position = 0;
  std::array<char, 256> message{};
  bool palette_lost = false;
};

tmsize_t read_client(thandle_t handle, void* out, tmsize_t size) {
  auto* client = static_cast<Client*>(handle);
  const toff_t left =
      client->bytes.size() - std::min<toff_t>(client->position, client->bytes.size());
  const toff_t count = std::min(static_cast<toff_t>(std::max<tmsize_t>(size, 0)), left);
  std::memcpy(out, client->bytes.data() + (client->bytes.size() - left), count);
  client->position += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_client(thandle_t /*handle*/, void* /*data*/, tmsize_t /*size*/) { return -1; }

toff_t seek_client(thandle_t handle, toff_t offset, int whence) {
  auto* client = static_cast<Client*>(handle);
  if (whence == SEEK_CUR) offset += client->position;
  if (whence == SEEK_END) offset += client->bytes.size();
  return client->position = offset;
}

int close_client(thandle_t /*handle*/) { return 0; }

toff_t size_of_client(thandle_t handle) { return static_cast<Client*>(handle)->bytes.size(); }

int map_client(thandle_t handle, void** base, toff_t* size) {
  const auto* client = static_cast<Client*>(handle);
  *base = const_cast<uint8_t*>(client->bytes.data());  // opened for reading only
  *size = client->bytes.size();
  return 1;
}

void unmap_client(thandle_t /*handle*/, void* /*base*/, toff_t /*size*/) {}

__attribute__((format(printf, 4, 0))) int keep_error(TIFF* /*tiff*/, void* user,
                                                     const char* /*module*/, const char* format,
                                                     va_list arguments) {
  auto* client = static_cast<Client*>(user);
  std::vsnprintf(client->message.data(), client->message.size(), format, arguments);
  return 1;  // handled: nothing goes to stderr
}

/// Warnings are silent, but without its colour map a palette image would pass for a grey one.
__attribute__((format(printf, 4, 0))) int notice_warning(TIFF* /*tiff*/, void* user,
                                                         const char* /*module*/, const char* format,
                                                         va_list arguments) {
  std::array<char, 256> message{};
  std::vsnprintf(message.data(), message.size(), format, arguments);
  if (std::strstr(message.data(), "ColorMap") != nullptr) {
    static_cast<Client*>(user)->palette_lost = true;
  }
  return 1;
}

using Tiff = std::unique_ptr<TIFF, void (*)(TIFF*)>;

Tiff open(const Source& source, Client& client) {
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                             TIFFOpenOptionsFree);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, &client);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), notice_warning, &client);
  // Eight bytes a pixel is the most that a mode of Pillow's reads.
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), source.limits.max_pixels * 8 + (1 << 20));
  Tiff tiff(
      TIFFClientOpenExt("", "r", &client, read_client, write_client, seek_client, close_client,
                        size_of_client, map_client, unmap_client, options.get()),
      TIFFClose);
  if (tiff == nullptr) source.refuse("broken TIFF: ", client.message.data());
  if (client.palette_lost) source.refuse("broken TIFF: the palette cannot be read");
  return tiff;
}

/// A 16-bit tag, or `otherwise` where it is missing.
int short_tag(TIFF* tiff, uint32_t tag, int otherwise) {
  uint16_t value = 0;
  return TIFFGetField(tiff, tag, &value) == 1 ? value : otherwise;
}

TiffTags read_tags(const Source& source, TIFF* tiff) {
  TiffTags tags;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &tags.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &tags.height);
  source.check_size(tags.width, tags.height);
  tags.bits = short_tag(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  tags.samples = short_tag(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  tags.photometric = short_tag(tiff, TIFFTAG_PHOTOMETRIC, 0);
  tags.compression = short_tag(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  if (tags.compression == COMPRESSION_OJPEG) tags.photometric = PHOTOMETRIC_YCBCR;
  tags.sample_format = short_tag(tiff, TIFFTAG_SAMPLEFORMAT, 1);
  tags.fill_order = short_tag(tiff, TIFFTAG_FILLORDER, 1);
  tags.separate_planes = short_tag(tiff, TIFFTAG_PLANARCONFIG, 1) == PLANARCONFIG_SEPARATE;
  tags.big_endian = source.bytes[0] == 'M';
  uint16_t count = 0;
  const uint16_t* extra = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &extra) == 1) {
    tags.extra_samples.assign(extra, extra + count);
  }
  const bool ignorable = std::all_of(tags.extra_samples.begin(), tags.extra_samples.end(),
                                     [](uint16_t e) { return e == 0; });
  if (tags.separate_planes && ignorable) {  // planes at the end that nobody needs
    tags.samples -= count;
    tags.extra_samples.clear();
  }
  return tags;
}

/// The strips or tiles of an image: a strip is a tile as wide as the image.
struct Blocks {
  bool tiled = false;
  uint32_t width = 0, height = 0;
  tmsize_t bytes = 0;  // of one, of one plane where planes are separate
  tmsize_t row_bytes = 0;
};

Blocks find_blocks(const Source& source, TIFF* tiff, const TiffTags& tags,
                   const TiffLayout& layout) {
  Blocks blocks;
  blocks.tiled = TIFFIsTiled(tiff) != 0;
  if (blocks.tiled) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &blocks.width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &blocks.height);
    source.check_size(blocks.width, blocks.height);
    blocks.bytes = TIFFTileSize(tiff);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &blocks.height);
    blocks.width = tags.width;
    blocks.height = std::min(blocks.height, tags.height);
    if (blocks.height == 0) source.refuse("TIFF with empty strips");
    blocks.bytes = TIFFStripSize(tiff);
  }
  const int samples = tags.separate_planes ? 1 : layout.samples;
  blocks.row_bytes = (tmsize_t{blocks.width} * samples * tags.bits + 7) / 8;
  // Where the library's idea of a block differs, its rows are not what the layout takes them for.
  if (blocks.bytes != blocks.row_bytes * tmsize_t{blocks.height}) {
    source.refuse("TIFF blocks of ", blocks.bytes, " bytes, expected ",
                  blocks.row_bytes * tmsize_t{blocks.height});
  }
  return blocks;
}

/// One plane of the block at (x, y).
void read_block(const Source& source, const Client& client, TIFF* tiff, const Blocks& blocks,
                uint32_t x, uint32_t y, uint16_t plane, uint8_t* out) {
  const tmsize_t size =
      blocks.tiled
          ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, plane), out, blocks.bytes)
          : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, plane), out, blocks.bytes);
  if (size < 0) source.refuse("broken TIFF: ", client.message.data());
}

/// Pixel-interleaved samples of `size` bytes out of planes that lie `plane_bytes` apart.
void interleave(const uint8_t* planes, size_t plane_bytes, int samples, size_t size, size_t count,
                uint8_t* out) {
  for (size_t i = 0; i < count; ++i) {
    for (size_t s = 0; s < static_cast<size_t>(samples); ++s, out += size) {
      std::memcpy(out, planes + s * plane_bytes + i * size, size);
    }
  }
}

void read_image(const Source& source, const Client& client, TIFF* tiff, const TiffTags& tags,
                const TiffLayout& layout, Image& image) {
  const Blocks blocks = find_blocks(source, tiff, tags, layout);
  const int planes = tags.separate_planes ? layout.samples : 1;
  if (planes > 1 && tags.bits < 8) source.refuse("TIFF with separate planes of packed bits");
  const auto block_bytes = static_cast<size_t>(blocks.bytes);
  const auto row_bytes = static_cast<size_t>(blocks.row_bytes);
  const size_t pixel = image.data.size() / tags.width / tags.height;
  std::vector<uint8_t> block(block_bytes * static_cast<size_t>(planes));
  std::vector<uint8_t> row(planes > 1 ? row_bytes * static_cast<size_t>(planes) : 0);
  for (uint32_t y = 0; y < tags.height; y += std::min(blocks.height, tags.height - y)) {
    for (uint32_t x = 0; x < tags.width; x += std::min(blocks.width, tags.width - x)) {
      for (int plane = 0; plane < planes; ++plane) {
        read_block(source, client, tiff, blocks, x, y, static_cast<uint16_t>(plane),
                   &block[static_cast<size_t>(plane) * block_bytes]);
      }
      const uint32_t columns = std::min(blocks.width, tags.width - x);
      const uint32_t rows = std::min(blocks.height, tags.height - y);
      for (uint32_t i = 0; i < rows; ++i) {
        const uint8_t* in = &block[i * row_bytes];
        if (planes > 1) {
          interleave(in, block_bytes, planes, static_cast<size_t>(tags.bits) / 8, columns,
                     row.data());
          in = row.data();
        }
        unpack_tiff_row(layout, in, columns, &image.data[(size_t{y + i} * tags.width + x) * pixel]);
      }
    }
  }
}

/// YCbCr that libtiff converts itself, subsampling and all.
void read_ycbcr(const Source& source, const Client& client, TIFF* tiff, Image& image) {
  TIFFRGBAImage converter;
  std::array<char, 1024> message{};
  if (TIFFRGBAImageBegin(&converter, tiff, 0, message.data()) == 0) {
    source.refuse("broken TIFF: ", message.data());
  }
  converter.req_orientation = ORIENTATION_TOPLEFT;
  converter.orientation = ORIENTATION_TOPLEFT;
  const auto width = static_cast<uint32_t>(image.width);
  const auto height = static_cast<uint32_t>(image.height);
  std::vector<uint32_t> raster(size_t{width} * height);
  const int done = TIFFRGBAImageGet(&converter, raster.data(), width, height);
  TIFFRGBAImageEnd(&converter);
  if (done == 0) source.refuse("broken TIFF: ", client.message.data());
  for (size_t i = 0; i < raster.size(); ++i) {
    image.data[3 * i] = static_cast<uint8_t>(TIFFGetR(raster[i]));
    image.data[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(raster[i]));
    image.data[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(raster[i]));
  }
}

void read_palette(const Source& source, TIFF* tiff, int bits, Image& image) {
  const uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 1) {
    source.refuse("TIFF palette is missing");
  }
  for (size_t i = 0; i < size_t{1} << bits; ++i) {
    for (const uint16_t* channel : {red, green, blue}) {
      image.palette.push_back(static_cast<uint8_t>(channel[i] / 256));
    }
  }
}

/// The image as a viewer would show it: what EXIF orientations 2 to 8 ask for.
Image turn(const Image& image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  Image out = make_image(image.mode, transposed ? image.height : image.width,
                         transposed ? image.width : image.height);
  out.palette = image.palette;
  const bool from_right = orientation == 2 || orientation == 3 || orientation >= 7;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const auto pixel = pixel_bytes(image.mode);
  uint8_t* to = out.data.data();
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x, to += pixel) {
      const int column = transposed ? y : x;
      const int row = transposed ? x : y;
      const int source_x = from_right ? image.width - 1 - column : column;
      const int source_y = from_bottom ? image.height - 1 - row : row;
      const size_t at = static_cast<size_t>(source_y) * static_cast<size_t>(image.width) +
                        static_cast<size_t>(source_x);
      std::memcpy(to, &image.data[at * pixel], pixel);
    }
  }
  return out;
}

}  // namespace

Image decode_tiff(const Source& source) {
  Client client{.bytes = source.bytes};
  const Tiff tiff = open(source, client);
  const TiffTags tags = read_tags(source, tiff.get());
  const TiffLayout layout = tiff_layout(source, tags);
  Image image = make_image(layout.mode, tags.width, tags.height);
  const bool ycbcr = tags.photometric == PHOTOMETRIC_YCBCR && tags.samples == 3;
  if (ycbcr && tags.compression == COMPRESSION_NONE) {
    source.refuse("uncompressed YCbCr TIFF is not read");
  }
  if (ycbcr && (tags.compression != COMPRESSION_JPEG || tags.separate_planes)) {
    read_ycbcr(source, client, tiff.get(), image);
  } else {
    if (ycbcr) TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    read_image(source, client, tiff.get(), tags, layout, image);
  }
  if (image.mode == Mode::kP || image.mode == Mode::kPA) {
    read_palette(source, tiff.get(), tags.bits, image);
  }
  return turn(image, short_tag(tiff.get(), TIFFTAG_ORIENTATION, 1));
}

}  // namespace clipnext::image

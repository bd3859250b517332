// Which decoder reads a file, by its first bytes.
#include "image/decode.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/file.h"
#include "image/formats.h"

namespace clipnext::image {

namespace {

bool has_at(std::span<const uint8_t> bytes, size_t offset, std::string_view text) {
  return bytes.size() >= offset + text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<ptrdiff_t>(offset),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

bool is_tiff(std::span<const uint8_t> bytes) {
  using namespace std::string_view_literals;
  // The last two are BigTIFF.
  return has_at(bytes, 0, "II*\0"sv) || has_at(bytes, 0, "MM\0*"sv) ||
         has_at(bytes, 0, "II+\0"sv) || has_at(bytes, 0, "MM\0+"sv);
}

// P1 to P6 and white space.
bool is_pnm(std::span<const uint8_t> bytes) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
         kSpace.find(static_cast<char>(bytes[2])) != std::string_view::npos;
}

bool is_heif(std::span<const uint8_t> bytes) {
  constexpr std::array<std::string_view, 8> kBrands = {"heic", "heix", "hevc", "heim",
                                                       "mif1", "msf1", "avif", "avis"};
  return has_at(bytes, 4, "ftyp") &&
         std::any_of(kBrands.begin(), kBrands.end(),
                     [&](std::string_view brand) { return has_at(bytes, 8, brand); });
}

}  // namespace

Image decode(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits) {
  using namespace std::string_view_literals;
  const Source source{bytes, name, limits};
  if (bytes.empty()) source.refuse("the file is empty");
  if (has_at(bytes, 0, "\xff\xd8\xff"sv)) return decode_jpeg(source);
  if (has_at(bytes, 0, "\x89PNG\r\n\x1a\n"sv)) return decode_png(source);
  if (has_at(bytes, 0, "RIFF"sv) && has_at(bytes, 8, "WEBP"sv)) return decode_webp(source);
  if (has_at(bytes, 0, "GIF87a"sv) || has_at(bytes, 0, "GIF89a"sv)) return decode_gif(source);
  if (is_tiff(bytes)) return decode_tiff(source);
  if (has_at(bytes, 0, "BM"sv)) return decode_bmp(source);
  if (is_pnm(bytes)) return decode_pnm(source);
  if (is_heif(bytes)) return decode_heif(source);
  source.refuse("not a JPEG, PNG, WebP, GIF, TIFF, BMP, PBM, PGM, PPM, HEIC or AVIF image");
}

Image decode_file(const std::filesystem::path& path, const DecodeLimits& limits) {
  const std::string content = read_file(path);
  return decode({reinterpret_cast<const uint8_t*>(content.data()), content.size()}, path.string(),
                limits);
}

}  // namespace clipnext::image

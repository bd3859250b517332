// What every format's decoder is given, and the little-endian reads most headers need.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "image/decode.h"

namespace clipnext::image {

/// A file being decoded: its bytes, its name for messages and what it may cost.
struct Source {
  std::span<const uint8_t> bytes;
  const std::string& name;
  const DecodeLimits& limits;

  template <class... Args>
  [[noreturn]] void refuse(const Args&... args) const {
    fail(name, ": ", args...);
  }
  [[noreturn]] void truncated() const { refuse("the image file is truncated"); }

  /// Refuses a size from a header before anything of that size is allocated.
  void check_size(int64_t width, int64_t height) const {
    if (width <= 0 || height <= 0) refuse("the image is ", width, "x", height, " pixels");
    // Neither side fills 32 bits, so the product fits.
    if (width > INT32_MAX || height > INT32_MAX || width * height > limits.max_pixels) {
      refuse("the image is ", width, "x", height, " pixels, more than the limit of ",
             limits.max_pixels);
    }
  }

  /// size bytes from offset; truncated() if the file ends before them.
  std::span<const uint8_t> slice(size_t offset, size_t size) const {
    if (offset > bytes.size() || size > bytes.size() - offset) truncated();
    return bytes.subspan(offset, size);
  }
  uint8_t u8(size_t offset) const { return slice(offset, 1)[0]; }
  uint32_t u16le(size_t offset) const {
    const auto b = slice(offset, 2);
    return b[0] | uint32_t{b[1]} << 8;
  }
  uint32_t u32le(size_t offset) const { return u16le(offset) | u16le(offset + 2) << 16; }
  uint32_t u32be(size_t offset) const { return __builtin_bswap32(u32le(offset)); }
};

}  // namespace clipnext::image

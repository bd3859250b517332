// Packed samples to bytes.
#include "image/unpack.h"

namespace clipnext::image {

void unpack_bits(const uint8_t* in, int64_t count, int bits, int scale, uint8_t* out) {
  const int per_byte = 8 / bits;
  const int mask = (1 << bits) - 1;
  for (int64_t i = 0; i < count; ++i) {
    const auto shift = static_cast<int>(8 - bits * (i % per_byte + 1));
    out[i] = static_cast<uint8_t>((in[i / per_byte] >> shift & mask) * scale);
  }
}

}  // namespace clipnext::image

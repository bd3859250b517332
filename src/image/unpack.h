// Packed samples to bytes.
#pragma once

#include <cstdint>

namespace clipnext::image {

/// count samples of `bits` (1, 2, 4 or 8) each, first one in the high bits, times `scale`.
void unpack_bits(const uint8_t* in, int64_t count, int bits, int scale, uint8_t* out);

/// What a full sample of `bits` bits is multiplied with to become 255.
inline int full_scale(int bits) { return 255 / ((1 << bits) - 1); }

}  // namespace clipnext::image

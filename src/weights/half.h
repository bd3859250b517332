// float16 and bfloat16 as bit patterns, without the F16C instructions.
#pragma once

#include <bit>
#include <cstdint>

namespace clipnext::weights {

/// IEEE binary16 bits.
struct Half {
  uint16_t bits;
};
/// The upper half of a float32's bits.
struct BFloat16 {
  uint16_t bits;
};

/// Exact. Branch-free so that loops over it vectorise.
inline float to_float(Half half) {
  const uint32_t magnitude = uint32_t{half.bits & 0x7fffu} << 13;
  const uint32_t sign = uint32_t{half.bits & 0x8000u} << 16;
  // Scaling by 2^112 moves the exponent's bias, and normalises subnormals on the way.
  const uint32_t finite = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  const uint32_t special = magnitude | 0x7f800000u;
  return std::bit_cast<float>(sign | (magnitude >= 0x0f800000u ? special : finite));
}

/// Exact.
inline float to_float(BFloat16 value) { return std::bit_cast<float>(uint32_t{value.bits} << 16); }

/// Bits of a 16-bit float with kToMantissa mantissa bits, rounded to nearest even from the bits of
/// an IEEE value with kMantissa and kExponent bits. Overflow is infinity, NaN stays NaN.
template <int kToMantissa, int kMantissa, int kExponent, class Bits>
uint16_t narrow_to_16(Bits bits) {
  constexpr int kToExponent = 15 - kToMantissa;
  constexpr int kRebias = (1 << (kToExponent - 1)) - (1 << (kExponent - 1));
  constexpr int kToInfinity = (1 << kToExponent) - 1;
  constexpr Bits kHidden = Bits{1} << kMantissa;
  constexpr Bits kInfinity = ((Bits{1} << kExponent) - 1) << kMantissa;

  const auto sign = static_cast<uint16_t>(bits >> (kMantissa + kExponent) << 15);
  const Bits magnitude = bits & ((Bits{1} << (kMantissa + kExponent)) - 1);
  const Bits fraction = magnitude & (kHidden - 1);
  if (magnitude > kInfinity) {
    const Bits payload = fraction >> (kMantissa - kToMantissa);
    return static_cast<uint16_t>(sign | kToInfinity << kToMantissa | 1 << (kToMantissa - 1) |
                                 static_cast<int>(payload));
  }
  const int stored = static_cast<int>(magnitude >> kMantissa);
  const int exponent = (stored == 0 ? 1 : stored) + kRebias;  // as stored in the result
  if (exponent >= kToInfinity) return static_cast<uint16_t>(sign | kToInfinity << kToMantissa);
  const Bits significand = stored == 0 ? fraction : fraction | kHidden;
  // A result below the normal range loses one more bit per missing exponent step.
  const int shift = kMantissa - kToMantissa + (exponent > 0 ? 0 : 1 - exponent);
  if (shift > kMantissa + 1) return sign;
  // The hidden bit of a normal result adds the 1 that the exponent lacks here.
  const int base = exponent > 0 ? (exponent - 1) << kToMantissa : 0;
  const int truncated = base + static_cast<int>(significand >> shift);
  const Bits rest = significand & ((Bits{1} << shift) - 1);
  const Bits tie = Bits{1} << (shift - 1);
  const bool up = rest > tie || (rest == tie && (truncated & 1) != 0);
  return static_cast<uint16_t>(sign | (truncated + (up ? 1 : 0)));
}

inline Half to_half(float value) {
  return {narrow_to_16<10, 23, 8>(std::bit_cast<uint32_t>(value))};
}
/// Not by way of float, which would round twice.
inline Half to_half(double value) {
  return {narrow_to_16<10, 52, 11>(std::bit_cast<uint64_t>(value))};
}
inline BFloat16 to_bfloat16(float value) {
  return {narrow_to_16<7, 23, 8>(std::bit_cast<uint32_t>(value))};
}
inline BFloat16 to_bfloat16(double value) {
  return {narrow_to_16<7, 52, 11>(std::bit_cast<uint64_t>(value))};
}

}  // namespace clipnext::weights

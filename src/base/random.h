// Random numbers that are the same everywhere: element i of the stream of a seed, in any order.
#pragma once

#include <cstdint>

namespace clipnext {

/// Element i of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) begun at `seed`.
constexpr uint64_t random_bits(uint64_t seed, uint64_t i) {
  uint64_t x = seed + (i + 1) * 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// The same, uniform in [0, 1) on a grid of 2^-24.
constexpr double random_unit(uint64_t seed, uint64_t i) {
  return static_cast<double>(random_bits(seed, i) >> 40) / 16777216.0;
}

}  // namespace clipnext

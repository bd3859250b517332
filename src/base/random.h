// Random numbers that are the same everywhere: element i of the stream of a seed, in any order.
#pragma once

#include <cmath>
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

/// The seed of a stream that belongs to `seed` and one more number (a purpose, a rank, a worker, an
/// epoch, a sample): streams of different numbers have nothing to do with each other.
constexpr uint64_t random_key(uint64_t seed, uint64_t number) {
  return random_bits(random_bits(seed, 0) ^ number, 1);
}

/// The numbers of one stream in order; a copy goes on from the same place.
class RandomStream {
 public:
  explicit constexpr RandomStream(uint64_t key) : key_(key) {}

  constexpr uint64_t bits() { return random_bits(key_, next_++); }
  /// Uniform in [0, 1), on a grid of 2^-53.
  constexpr double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  constexpr double uniform(double low, double high) { return low + (high - low) * unit(); }
  /// Uniform in 0 .. n - 1, n > 0; off by less than n / 2^64.
  constexpr int64_t below(int64_t n) {
    __extension__ typedef unsigned __int128 Wide;
    return static_cast<int64_t>((static_cast<Wide>(bits()) * static_cast<uint64_t>(n)) >> 64);
  }
  /// Mean 0, variance 1 (Box and Muller, Ann. Math. Statist. 29, 1958, one of the pair).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit()));
    return radius * std::cos(6.283185307179586 * unit());
  }

 private:
  uint64_t key_;
  uint64_t next_ = 0;
};

}  // namespace clipnext

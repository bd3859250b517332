// A random order of many things that is computed place by place, not stored.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>

#include "base/random.h"

namespace clipnext::data {

/// The swap-or-not shuffle (Hoang, Morris, Rogaway, CRYPTO 2012, https://arxiv.org/abs/1208.1176):
/// each round pairs the places up by a random sum and swaps each pair or not by a random bit.
class Permutation {
 public:
  /// Of 0 .. size - 1, size > 0; the same for the same key.
  Permutation(int64_t size, uint64_t key) : size_(size), key_(key) { assert(size > 0); }

  int64_t at(int64_t place) const {
    assert(place >= 0 && place < size_);
    for (uint64_t round = 0; round < kRounds; ++round) {
      const uint64_t key = random_key(key_, round);
      const int64_t sum = RandomStream(key).below(size_);
      const int64_t other = sum >= place ? sum - place : sum - place + size_;
      const auto pair = static_cast<uint64_t>(std::max(place, other));
      if (random_bits(key, 1 + pair) >> 63 != 0) place = other;
    }
    return place;
  }

 private:
  // 6 * log2(size) are enough by the paper's bound; this is so for 2^21, and more than a shuffle
  // needs for 2^32.
  static constexpr uint64_t kRounds = 128;

  int64_t size_;
  uint64_t key_;
};

}  // namespace clipnext::data

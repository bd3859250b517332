// The streams of random numbers that decide which samples come, and in which order.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "base/random.h"

namespace clipnext::data {

/// Numbers that no other part of the program uses for its streams.
enum class Purpose : uint64_t {
  kShardOrder = 0x64617461'00000001,  // "data"
  kShardDraw,
  kSampleShuffle,
  kCaptionChoice,
  kRowOrder,
};

/// The key of the stream of a purpose, told apart by further numbers (rank, worker, epoch).
inline uint64_t stream_key(int64_t seed, Purpose purpose, std::initializer_list<int64_t> numbers) {
  uint64_t key = random_key(static_cast<uint64_t>(seed), static_cast<uint64_t>(purpose));
  for (const int64_t number : numbers) key = random_key(key, static_cast<uint64_t>(number));
  return key;
}

}  // namespace clipnext::data

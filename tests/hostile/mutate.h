// What every parser of outside bytes is put through: truncations and bit flips of a valid file.
//
//   #include "hostile/mutate.h"                       // CMake: TEST_LINK clipnext::hostile
//
//   TEST(HostilePng, SurvivesMutation) {
//     const std::string seed = read_file(...);        // valid and small: headers are what matters
//     hostile::expect_survives(seed, [](std::span<const std::byte> bytes) {
//       image::decode(hostile::as_u8(bytes), "test");  // hostile::as_text(bytes) for a string_view
//     }, {.peak_bytes = 8 << 20});
//   }
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "hostile/allocation_guard.h"
#include "hostile/views.h"

namespace clipnext::hostile {

/// What one call of the parser may take.
struct Limits {
  int64_t peak_bytes = int64_t{64} << 20;  // live heap above that before the call
  double seconds = 5;                      // generous: sanitizers on a busy machine
};

/// How much is tried; the defaults are the acceptance rule.
struct Effort {
  int64_t truncate_below = 4096;  // at every byte up to here
  int random_truncations = 100;
  int bit_flips = 1000;
  uint32_t seed = 1;
};

/// Runs parse(span<const std::byte>) and records a test failure, with `what` in its message, unless
/// it returns or throws Error within the limits. Returns whether it returned normally.
template <class Parse>
bool expect_contained(std::span<const std::byte> bytes, const Parse& parse, const std::string& what,
                      const Limits& limits) {
  const auto begin = std::chrono::steady_clock::now();
  const AllocationPeak peak;
  bool parsed = false;
  try {
    parse(bytes);
    parsed = true;
  } catch (const Error&) {  // a clear refusal is a right answer
  } catch (const std::exception& e) {
    ADD_FAILURE() << what << ": threw something other than Error: " << e.what();
  } catch (...) {
    ADD_FAILURE() << what << ": threw something other than Error";
  }
  const int64_t peak_bytes = peak.bytes();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(peak_bytes, limits.peak_bytes) << what << ": heap";
  EXPECT_LE(elapsed.count(), limits.seconds) << what << ": time";
  return parsed;
}

/// Puts `parse` through the seed itself (which it must accept), truncations at every byte of its
/// beginning and at random places, and random bit flips. Each mutant lies in a buffer of exactly
/// its size, so that ASan sees one byte too far. Half of the flips fall into the first or last KB,
/// where formats keep their headers. Stops at the first mutant that fails.
template <class Parse>
void expect_survives(std::span<const std::byte> seed, const Parse& parse, const Limits& limits = {},
                     const Effort& effort = {}) {
  const auto contained = [&](const std::vector<std::byte>& bytes, const std::string& what) {
    expect_contained(bytes, parse, what, limits);
    return !testing::Test::HasFailure();
  };
  const std::vector<std::byte> whole(seed.begin(), seed.end());
  ASSERT_TRUE(expect_contained(whole, parse, "the seed itself", limits)) << "the seed is refused";

  std::mt19937 random(effort.seed);
  const auto below = [&](size_t bound) { return static_cast<size_t>(random()) % bound; };
  const auto truncated = [&](size_t size) {
    return contained({seed.begin(), seed.begin() + static_cast<ptrdiff_t>(size)},
                     "truncated to " + std::to_string(size) + " bytes");
  };
  const size_t every = std::min(seed.size(), static_cast<size_t>(effort.truncate_below));
  for (size_t size = 0; size < every; ++size) {
    if (!truncated(size)) return;
  }
  for (int i = 0; i < effort.random_truncations; ++i) {
    if (!truncated(below(seed.size()))) return;
  }
  for (int i = 0; i < effort.bit_flips; ++i) {
    const size_t edge = std::min<size_t>(seed.size(), 1024);
    const size_t at = i % 4 == 0   ? below(edge)
                      : i % 4 == 1 ? seed.size() - 1 - below(edge)
                                   : below(seed.size());
    const size_t bit = below(8);
    std::vector<std::byte> flipped = whole;
    flipped[at] ^= std::byte{1} << bit;
    if (!contained(flipped, "bit " + std::to_string(bit) + " of byte " + std::to_string(at))) {
      return;
    }
  }
}

template <class Parse>
void expect_survives(std::string_view seed, const Parse& parse, const Limits& limits = {},
                     const Effort& effort = {}) {
  expect_survives(std::as_bytes(std::span(seed.data(), seed.size())), parse, limits, effort);
}

}  // namespace clipnext::hostile

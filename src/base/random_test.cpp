#include "base/random.h"

#include <gtest/gtest.h>

namespace clipnext {
namespace {

TEST(Random, IsSplitMix64) {
  // The first outputs of the published C program (prng.di.unimi.it/splitmix64.c) from state 0.
  EXPECT_EQ(random_bits(0, 0), 0xE220A8397B1DCDAFu);
  EXPECT_EQ(random_bits(0, 1), 0x6E789E6AA1B965F4u);
  EXPECT_EQ(random_bits(0, 2), 0x06C45D188009454Fu);
}

TEST(Random, UnitsFillTheirRange) {
  double sum = 0, least = 1, most = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    const double u = random_unit(7, i);
    sum += u;
    least = u < least ? u : least;
    most = u > most ? u : most;
  }
  EXPECT_GE(least, 0);
  EXPECT_LT(least, 0.001);
  EXPECT_GT(most, 0.999);
  EXPECT_LT(most, 1);
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
}

}  // namespace
}  // namespace clipnext

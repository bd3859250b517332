#include "weights/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace clipnext::weights {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Half, KnownValues) {
  EXPECT_EQ(to_float(Half{0x3c00}), 1.0f);
  EXPECT_EQ(to_float(Half{0xc000}), -2.0f);
  EXPECT_EQ(to_float(Half{0x7bff}), 65504.0f);
  EXPECT_EQ(to_float(Half{0x0400}), 0x1p-14f);
  EXPECT_EQ(to_float(Half{0x0001}), 0x1p-24f);
  EXPECT_EQ(to_float(Half{0x03ff}), 1023 * 0x1p-24f);
  EXPECT_EQ(to_float(Half{0x7c00}), kInfinity);
  EXPECT_EQ(to_float(Half{0xfc00}), -kInfinity);
  EXPECT_TRUE(std::isnan(to_float(Half{0x7e00})));
  EXPECT_TRUE(std::signbit(to_float(Half{0x8000})));
}

TEST(Half, OverflowIsInfinityFromHalfwayOn) {
  EXPECT_EQ(to_half(65519.996f).bits, 0x7bff);
  EXPECT_EQ(to_half(65520.0f).bits, 0x7c00);
  EXPECT_EQ(to_half(1e30f).bits, 0x7c00);
  EXPECT_EQ(to_half(-kInfinity).bits, 0xfc00);
  EXPECT_EQ(to_half(1e300).bits, 0x7c00);
}

TEST(Half, NanStaysNan) {
  EXPECT_TRUE(std::isnan(to_float(to_half(kNan))));
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(kNan))));
  // A signalling NaN whose payload the narrow type cannot hold must not become infinity.
  EXPECT_TRUE(std::isnan(to_float(to_half(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Half, DoublesRoundOnce) {
  // Just above the middle of 1 and its successor; by way of float it would become the middle.
  const double above = 1 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ(to_half(above).bits, 0x3c01);
  EXPECT_EQ(to_half(static_cast<float>(above)).bits, 0x3c00);
  EXPECT_EQ(to_bfloat16(1 + 0x1p-8 + 0x1p-40).bits, 0x3f81);
}

// Every finite value of T: it comes back, and the points around the middle to the next one round
// the right way.
template <class T, class Wide, class Narrow>
void check_rounding(uint16_t infinity, const Narrow& narrow) {
  for (uint16_t bits = 0; bits < infinity; ++bits) {
    const Wide value = to_float(T{bits});
    ASSERT_EQ(narrow(value).bits, bits);
    ASSERT_EQ(narrow(-value).bits, bits | 0x8000);
    if (bits + 1 == infinity) return;
    const auto next_bits = static_cast<uint16_t>(bits + 1);
    const Wide next = to_float(T{next_bits});
    const Wide middle = value + (next - value) / 2;
    ASSERT_EQ(narrow(middle).bits, bits % 2 == 0 ? bits : next_bits) << bits;
    ASSERT_EQ(narrow(std::nextafter(middle, value)).bits, bits) << bits;
    ASSERT_EQ(narrow(std::nextafter(middle, next)).bits, next_bits) << bits;
  }
}

TEST(Half, EveryValueAndMiddleRoundsToNearestEven) {
  check_rounding<Half, float>(0x7c00, [](float x) { return to_half(x); });
  check_rounding<Half, double>(0x7c00, [](double x) { return to_half(x); });
}

TEST(BFloat16, EveryValueAndMiddleRoundsToNearestEven) {
  check_rounding<BFloat16, float>(0x7f80, [](float x) { return to_bfloat16(x); });
  check_rounding<BFloat16, double>(0x7f80, [](double x) { return to_bfloat16(x); });
}

}  // namespace
}  // namespace clipnext::weights

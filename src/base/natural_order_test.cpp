#include "base/natural_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace clipnext {
namespace {

TEST(NaturalOrder, SortsNumbersByValue) {
  std::vector<std::string> names = {"img10.png", "img9.png",  "img1.png", "img100.png",
                                    "a",         "img2b.png", "img2.png"};
  std::sort(names.begin(), names.end(), natural_less);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "img1.png", "img2.png", "img2b.png", "img9.png",
                                             "img10.png", "img100.png"}));
}

TEST(NaturalOrder, ComparesNumbersOfAnyLength) {
  const std::string small = "x" + std::string(40, '8');
  const std::string large = "x1" + std::string(40, '0');
  EXPECT_TRUE(natural_less(small, large));
  EXPECT_FALSE(natural_less(large, small));
}

TEST(NaturalOrder, IsStrictAndTotalWithLeadingZeros) {
  EXPECT_TRUE(natural_less("a01", "a1"));
  EXPECT_FALSE(natural_less("a1", "a01"));
  EXPECT_FALSE(natural_less("a1", "a1"));
  EXPECT_TRUE(natural_less("a01b", "a1c"));
  EXPECT_TRUE(natural_less("", "0"));
  EXPECT_TRUE(natural_less("a0", "a00b"));
}

TEST(NaturalOrder, ComparesOtherBytesUnsigned) {
  EXPECT_TRUE(natural_less("z", "\xc3\xa9"));  // é after z
}

}  // namespace
}  // namespace clipnext

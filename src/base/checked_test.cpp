#include "base/checked.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace clipnext {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

TEST(Checked, OverflowIsAnError) {
  EXPECT_EQ(checked_add(kMax - 1, 1, "sum"), kMax);
  EXPECT_THROW(checked_add(kMax, 1, "sum"), Error);
  EXPECT_EQ(checked_mul(1 << 20, 1 << 20, "product"), int64_t{1} << 40);
  EXPECT_THROW(checked_mul(kMax, 2, "product"), Error);
}

TEST(Checked, AZeroSideDoesNotHideAnOverflow) {
  const auto numel = [](std::vector<int64_t> shape) { return checked_numel(shape, "shape"); };
  EXPECT_EQ(numel({}), 1);
  EXPECT_EQ(numel({3, 0, 4}), 0);
  EXPECT_EQ(numel({3, 5}), 15);
  EXPECT_THROW(numel({3, -1}), Error);
  EXPECT_THROW(numel({0, kMax, kMax}), Error);
}

}  // namespace
}  // namespace clipnext

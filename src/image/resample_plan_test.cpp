#include "image/resample_plan.h"

#include <gtest/gtest.h>

namespace clipnext::image {
namespace {

std::vector<int32_t> weights_of(const AxisPlan& plan, int output) {
  const std::vector<int32_t> all = fixed_point(plan.weights);
  const auto first = all.begin() + output * plan.taps;
  return {first, first + plan.count[static_cast<size_t>(output)]};
}

using Weights = std::vector<int32_t>;

TEST(ResamplePlan, HasPillowsBicubicWeightsWhenShrinking) {
  const AxisPlan plan = plan_axis(10, 4, {0, 4}, Filter::kBicubic);
  EXPECT_EQ(plan.begin[0], 0);
  EXPECT_EQ(weights_of(plan, 0), (Weights{1475606, 1766927, 1017815, 123947, -132995, -56998}));
  EXPECT_EQ(plan.begin[1], 0);
  EXPECT_EQ(weights_of(plan, 1),
            (Weights{-121778, 113494, 931976, 1617909, 1351157, 479657, -67102, -103553, -7456}));
}

TEST(ResamplePlan, HasPillowsBicubicWeightsWhenGrowing) {
  const AxisPlan plan = plan_axis(4, 10, {0, 10}, Filter::kBicubic);
  EXPECT_EQ(weights_of(plan, 0), (Weights{4609778, -415474}));
  EXPECT_EQ(weights_of(plan, 1), (Weights{3936317, 276127, -18140}));
  EXPECT_EQ(weights_of(plan, 2), (Weights{2220514, 2220514, -246724}));
}

TEST(ResamplePlan, HasPillowsBicubicWeightsAtARealSize) {
  const AxisPlan plan = plan_axis(640, 479, {0, 479}, Filter::kBicubic);
  EXPECT_EQ(weights_of(plan, 0), (Weights{3149842, 1284397, -239935}));
  EXPECT_EQ(weights_of(plan, 1), (Weights{-148776, 2242952, 2266958, -143413, -23417}));
}

TEST(ResamplePlan, PartEqualsThatPartOfTheWhole) {
  const AxisPlan whole = plan_axis(640, 479, {0, 479}, Filter::kLanczos);
  const AxisPlan part = plan_axis(640, 479, {79, 320}, Filter::kLanczos);
  ASSERT_EQ(part.taps, whole.taps);
  for (int i = 0; i < 320; ++i) {
    EXPECT_EQ(part.begin[static_cast<size_t>(i)], whole.begin[static_cast<size_t>(i + 79)]);
    EXPECT_EQ(weights_of(part, i), weights_of(whole, i + 79));
  }
}

}  // namespace
}  // namespace clipnext::image

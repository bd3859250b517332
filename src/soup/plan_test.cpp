#include "soup/plan.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/test_error.h"
#include "soup/pass.h"
#include "soup/test_ingredients.h"

namespace clipnext::soup {
namespace {

using weights::DType;
using weights::Tensor;

Tensor floats(const std::vector<float>& values) {
  return weights::make_tensor({std::ssize(values)}, values);
}

/// What becomes of one tensor of that name.
Tensor average_one(const std::string& name, const std::vector<Tensor>& tensors,
                   const Options& options = {}) {
  std::vector<Ingredient> pot;
  for (const Tensor& tensor : tensors) {
    pot.push_back(in_memory("m" + std::to_string(pot.size()), {{name, tensor}}));
  }
  ThreadPool pool(1);
  return make_tensors(make_plan(pot, options, nullptr), pot, pool).at(name);
}

Tensor scale(float value) { return weights::make_tensor({}, std::vector<float>{value}); }

TEST(SoupPlan, EqualIntegersAreCopied) {
  const auto ids = tensor_of<int64_t>(DType::kI64, {3}, {0, 1, 2});
  const Tensor result = average_one("position_ids", {ids, ids});
  EXPECT_EQ(result.dtype, DType::kI64);
  EXPECT_EQ(bits(result), bits(ids));
  const auto mask = tensor_of<uint8_t>(DType::kBool, {2}, {0, 1});
  EXPECT_EQ(bits(average_one("mask", {mask, mask})), bits(mask));
}

TEST(SoupPlan, OtherIntegersAreRefusedByName) {
  const auto a = tensor_of<int64_t>(DType::kI64, {3}, {0, 1, 2});
  const auto b = tensor_of<int64_t>(DType::kI64, {3}, {0, 1, 3});
  const std::string message = message_of([&] { average_one("position_ids", {a, b}); });
  EXPECT_NE(message.find("m1: tensor position_ids"), std::string::npos) << message;
}

TEST(SoupPlan, CountersBecomeTheLargest) {
  const auto count = [](int64_t n) { return tensor_of<int64_t>(DType::kI64, {}, {n}); };
  EXPECT_EQ(bits(average_one("bn.num_batches_tracked", {count(5), count(9), count(7)})),
            bits(count(9)));
}

TEST(SoupPlan, BatchNormsStatisticsAreAveragedWithAWarning) {
  EXPECT_EQ(weights::to_f32(average_one("bn.running_mean", {floats({1}), floats({3})})),
            std::vector<float>{2});
  const std::vector<Ingredient> pot = {in_memory("a", {{"bn.running_mean", floats({1})}})};
  ASSERT_EQ(warnings_about(pot).size(), 1U);
  EXPECT_NE(warnings_about(pot)[0].find("batch norm"), std::string::npos);
}

TEST(SoupPlan, LogitScaleIsTheMeanOfTheLogarithmsTheFirstTheLargestOrGiven) {
  using LogitScale = Options::LogitScale;
  const std::vector<Tensor> scales = {scale(2), scale(4), scale(3)};
  const auto with = [&](LogitScale how, double value = 0) {
    Options options;
    options.logit_scale = how;
    options.logit_scale_value = value;
    return weights::to_f32(average_one("logit_scale", scales, options))[0];
  };
  EXPECT_EQ(with(LogitScale::kMean), 3);
  EXPECT_EQ(with(LogitScale::kFirst), 2);
  EXPECT_EQ(with(LogitScale::kMax), 4);
  EXPECT_EQ(with(LogitScale::kValue, 2.5), 2.5);
}

TEST(SoupPlan, LogitScaleIsClampedWithAWarning) {
  const auto plan_of = [](float a, float b) {
    const std::vector<Ingredient> pot = {in_memory("a", {{"logit_scale", scale(a)}}),
                                         in_memory("b", {{"logit_scale", scale(b)}})};
    return make_plan(pot, {}, nullptr);
  };
  const float clamp = 4.6051702f;  // as trained models have it, above ln 100 as a double
  const Plan kept = plan_of(clamp, clamp);
  EXPECT_TRUE(kept.warnings.empty());
  EXPECT_EQ(weights::to_f32(kept.tensors[0].sources[0])[0], clamp);
  const Plan clamped = plan_of(5, 5);
  EXPECT_EQ(clamped.warnings.size(), 1U);
  EXPECT_EQ(weights::to_f32(clamped.tensors[0].sources[0])[0], clamp);
  EXPECT_EQ(weights::to_f32(plan_of(-1, -1).tensors[0].sources[0])[0], 0);
}

TEST(SoupPlan, TheTypeIsTheWidestUnlessOneIsAsked) {
  const auto bf16 = weights::convert(floats({1, 2}), DType::kBF16);
  const auto fp16 = weights::convert(floats({1, 2}), DType::kF16);
  EXPECT_EQ(average_one("w", {bf16, floats({1, 2})}).dtype, DType::kF32);
  EXPECT_EQ(average_one("w", {bf16, bf16}).dtype, DType::kBF16);
  EXPECT_EQ(average_one("w", {bf16, fp16}).dtype, DType::kF32);
  EXPECT_EQ(average_one("w", {floats({1, 2}), floats({3, 2})}, {.dtype = DType::kF16}).dtype,
            DType::kF16);
  const std::vector<Ingredient> pot = {in_memory("a", {{"w", bf16}})};
  EXPECT_NE(warnings_about(pot).at(0).find("16-bit"), std::string::npos);
}

TEST(SoupPlan, ValuesBeyondTheTypesRangeAreAnError) {
  const std::string message =
      message_of([] { average_one("w", {floats({1e6f})}, {.dtype = DType::kF16}); });
  EXPECT_NE(message.find("tensor w"), std::string::npos) << message;
  EXPECT_NE(message.find("F16"), std::string::npos) << message;
}

TEST(SoupPlan, ExcludedTensorsAreTheFirstOnes) {
  const Tensor result =
      average_one("w", {floats({1, 2}), floats({3, 2})}, {.selection = {.exclude = {"w"}}});
  EXPECT_EQ(weights::to_f32(result), (std::vector<float>{1, 2}));
}

TEST(SoupPlan, NonFiniteValuesAreRefusedByNameAndCount) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::string message = message_of([] {
    average_one("w", {floats({1, 2, 3}), floats({kNan, 1, -kInfinity})});
  });
  EXPECT_NE(message.find("m1: tensor w has 2"), std::string::npos) << message;
  EXPECT_NE(message_of([] {
              average_one("logit_scale", {scale(1), scale(kNan)});
            }).find("m1: tensor logit_scale has 1"),
            std::string::npos);
}

TEST(SoupPlan, WeightsAreDividedByTheirSum) {
  EXPECT_EQ(normalised({1, 3}), (std::vector<double>{0.25, 0.75}));
  EXPECT_NE(message_of([] { normalised({1, -1}); }).find("sum is 0"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::soup

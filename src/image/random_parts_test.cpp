// The chances of crops and of erased boxes, against the formulas of torchvision and timm. Seeds are
// fixed: a test that passes once passes always.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "image/random_crop.h"
#include "image/random_erasing.h"

namespace clipnext::image {
namespace {

/// The largest distance between the distribution of `values` and one on [0, 1] (Kolmogorov).
double distance_to(std::vector<double> values, const std::function<double(double)>& distribution) {
  std::sort(values.begin(), values.end());
  double most = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double expected = distribution(values[i]);
    const auto n = static_cast<double>(values.size());
    most = std::max({most, std::fabs(expected - static_cast<double>(i) / n),
                     std::fabs(expected - static_cast<double>(i + 1) / n)});
  }
  return most;
}

double uniform(double x) { return std::clamp(x, 0.0, 1.0); }

constexpr std::array<double, 2> kRatio = {3.0 / 4, 4.0 / 3};

// 1.95 / sqrt(n) is exceeded once in a thousand seeds; sides are whole pixels of thousands, which
// adds less than 0.002.
constexpr int kDraws = 20'000;
const double kFar = 1.95 / std::sqrt(kDraws) + 0.002;

TEST(RandomCrop, AreaIsUniformRatioLogUniformPlaceUniform) {
  // Small enough parts of a large picture, so that the first draw always fits.
  RandomStream random(3);
  std::vector<double> areas, ratios, lefts, tops;
  for (int i = 0; i < kDraws; ++i) {
    const Region part = draw_crop(6000, 4000, {0.1, 0.4}, kRatio, random);
    const auto w = static_cast<double>(part.columns.size);
    const auto h = static_cast<double>(part.rows.size);
    areas.push_back((w * h / 24e6 - 0.1) / 0.3);
    ratios.push_back((std::log(w / h) / std::log(4.0 / 3) + 1) / 2);
    lefts.push_back(static_cast<double>(part.columns.begin) / (6000 - w));
    tops.push_back(static_cast<double>(part.rows.begin) / (4000 - h));
  }
  EXPECT_LT(distance_to(areas, uniform), kFar);
  EXPECT_LT(distance_to(ratios, uniform), kFar);
  EXPECT_LT(distance_to(lefts, uniform), kFar);
  EXPECT_LT(distance_to(tops, uniform), kFar);
}

TEST(RandomCrop, StaysInsideAndReachesEveryEdge) {
  RandomStream random(4);
  bool left = false, right = false, top = false, bottom = false;
  for (int i = 0; i < 5000; ++i) {
    const Region part = draw_crop(7, 5, {0.05, 1.0}, kRatio, random);
    ASSERT_GE(part.columns.begin, 0);
    ASSERT_GE(part.rows.begin, 0);
    ASSERT_GE(std::min(part.columns.size, part.rows.size), 1);
    ASSERT_LE(part.columns.begin + part.columns.size, 7);
    ASSERT_LE(part.rows.begin + part.rows.size, 5);
    left |= part.columns.begin == 0 && part.columns.size < 7;
    right |= part.columns.begin > 0 && part.columns.begin + part.columns.size == 7;
    top |= part.rows.begin == 0 && part.rows.size < 5;
    bottom |= part.rows.begin > 0 && part.rows.begin + part.rows.size == 5;
  }
  EXPECT_TRUE(left && right && top && bottom);
}

void expect_part(const Region& part, int64_t left, int64_t top, int64_t width, int64_t height) {
  EXPECT_EQ(part.columns.begin, left);
  EXPECT_EQ(part.rows.begin, top);
  EXPECT_EQ(part.columns.size, width);
  EXPECT_EQ(part.rows.size, height);
}

TEST(RandomCrop, FallsBackToTheMiddleWithinTheRatio) {
  // More than the whole area never fits, so ten draws fail; values from torchvision's get_params.
  constexpr std::array<double, 2> kTooMuch = {2.0, 3.0};
  RandomStream random(5);
  expect_part(draw_crop(100, 30, kTooMuch, kRatio, random), 30, 0, 40, 30);
  expect_part(draw_crop(30, 101, kTooMuch, kRatio, random), 0, 30, 30, 40);
  expect_part(draw_crop(50, 45, kTooMuch, kRatio, random), 0, 0, 50, 45);
  expect_part(draw_crop(1000, 1, kTooMuch, kRatio, random), 499, 0, 1, 1);
  // 6.5 is rounded to even.
  expect_part(draw_crop(5, 26, kTooMuch, {10.0 / 13, 1.0}, random), 0, 10, 5, 6);
  // A ratio that leaves no pixel, which the reference fails at.
  expect_part(draw_crop(9, 1, kTooMuch, {0.1, 0.2}, random), 4, 0, 1, 1);
}

TEST(RandomCrop, GivesUpAfterTenDraws) {
  // A tenth of 1000 x 10000 fits where it is no wider than tall: every second draw does, so one
  // crop in 1024 is the middle, 1333 rows high; what fits has 1155 rows at most.
  RandomStream random(6);
  int middle = 0;
  constexpr int kCrops = 100'000;
  for (int i = 0; i < kCrops; ++i) {
    middle += draw_crop(1000, 10000, {0.1, 0.1}, kRatio, random).rows.size == 1333 ? 1 : 0;
  }
  EXPECT_NEAR(middle, kCrops / 1024.0, 40);  // four standard deviations
}

TEST(RandomErasing, HappensWithItsProbability) {
  RandomStream random(7);
  int erased = 0;
  for (int i = 0; i < kDraws; ++i) {
    erased += draw_erasing(64, 64, 0.35, 1, random).empty() ? 0 : 1;
  }
  EXPECT_NEAR(erased, 0.35 * kDraws, 4 * std::sqrt(0.35 * 0.65 * kDraws));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(draw_erasing(64, 64, 0.0, 3, random).empty());
    EXPECT_FALSE(draw_erasing(64, 64, 1.0, 1, random).empty());
  }
}

TEST(RandomErasing, AreaIsUniformRatioLogUniformPlaceUniform) {
  RandomStream random(8);
  std::vector<double> areas, ratios, lefts, tops;
  constexpr double kSide = 8000;
  for (int i = 0; i < kDraws; ++i) {
    const std::vector<Region> boxes = draw_erasing(8000, 8000, 1.0, 1, random);
    ASSERT_EQ(boxes.size(), 1U);
    const auto w = static_cast<double>(boxes[0].columns.size);
    const auto h = static_cast<double>(boxes[0].rows.size);
    ASSERT_LT(std::max(w, h), kSide);
    areas.push_back(w * h / (kSide * kSide));
    ratios.push_back((std::log(h / w) / std::log(1 / 0.3) + 1) / 2);
    lefts.push_back(static_cast<double>(boxes[0].columns.begin) / (kSide - w));
    tops.push_back(static_cast<double>(boxes[0].rows.begin) / (kSide - h));
  }
  // Boxes longer than the side are drawn again: above an area of 0.3 only the ratios within that
  // fit.
  constexpr double kLow = 0.02, kHigh = 1.0 / 3;
  const double reach = std::log(1 / 0.3);
  const auto fits = [&](double area) { return std::min(1.0, std::log(1 / area) / reach); };
  const auto weight_up_to = [&](double area) {  // integral of `fits` in steps
    constexpr int kSteps = 400;
    double sum = 0;
    for (int i = 0; i < kSteps; ++i) {
      sum += fits(kLow + (area - kLow) * (i + 0.5) / kSteps) * (area - kLow) / kSteps;
    }
    return sum;
  };
  const double all = weight_up_to(kHigh);
  EXPECT_LT(distance_to(areas, [&](double area) { return weight_up_to(area) / all; }), kFar);
  // Of the areas up to 0.3 no ratio is refused.
  std::vector<double> free;
  for (size_t i = 0; i < ratios.size(); ++i) {
    if (areas[i] < 0.299) free.push_back(ratios[i]);
  }
  EXPECT_GT(free.size(), size_t{kDraws} * 8 / 10);
  EXPECT_LT(distance_to(free, uniform), kFar * 1.1);
  EXPECT_LT(distance_to(lefts, uniform), kFar);
  EXPECT_LT(distance_to(tops, uniform), kFar);
}

TEST(RandomErasing, SharesTheAreaAmongOneToCountBoxes) {
  RandomStream random(9);
  std::array<int, 5> seen{};
  for (int i = 0; i < kDraws; ++i) {
    const std::vector<Region> boxes = draw_erasing(1000, 1000, 1.0, 4, random);
    ASSERT_TRUE(!boxes.empty() && boxes.size() <= 4);
    ++seen[boxes.size()];
    for (const Region& box : boxes) {
      const auto area = static_cast<double>(box.columns.size * box.rows.size);
      const double share = 1e6 / static_cast<double>(boxes.size());
      ASSERT_GE(area, 0.02 * share * 0.98);
      ASSERT_LE(area, share / 3 * 1.02);
    }
  }
  for (size_t n = 1; n <= 4; ++n) {
    EXPECT_NEAR(seen[n], kDraws / 4, 4 * std::sqrt(kDraws * 3.0 / 16)) << n;
  }
}

TEST(RandomErasing, IsStrictlySmallerThanThePictureOrNotAtAll) {
  RandomStream random(10);
  int none = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::vector<Region> boxes = draw_erasing(2, 9, 1.0, 1, random);
    for (const Region& box : boxes) {
      ASSERT_LT(box.columns.size, 2);
      ASSERT_LT(box.rows.size, 9);
      ASSERT_LE(box.columns.begin + box.columns.size, 2);
      ASSERT_LE(box.rows.begin + box.rows.size, 9);
    }
    none += boxes.empty() ? 1 : 0;
  }
  EXPECT_GT(none, 0);  // ten draws that did not fit
  EXPECT_LT(none, 100);
  // A single pixel has no smaller box but the empty one.
  for (const Region& box : draw_erasing(1, 1, 1.0, 1, random)) EXPECT_EQ(box.rows.size, 0);
}

TEST(RandomErasing, FillsItsBoxWithNormalNumbersAndNothingElse) {
  constexpr int kWidth = 301;
  constexpr int kHeight = 200;
  std::vector<float> values(size_t{kWidth} * kHeight * 3, 77.0f);
  const Region box{{20, 251}, {10, 180}};
  RandomStream random(11);
  erase(box, kWidth, random, values.data());
  std::vector<double> drawn;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int c = 0; c < 3; ++c) {
        const float value = values[static_cast<size_t>((y * kWidth + x) * 3 + c)];
        if (x >= 20 && x < 271 && y >= 10 && y < 190) {
          drawn.push_back(value);
        } else {
          ASSERT_EQ(value, 77.0f);
        }
      }
    }
  }
  const auto normal = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  const auto n = static_cast<double>(drawn.size());
  EXPECT_LT(distance_to(drawn, normal), 1.95 / std::sqrt(n));
  // Neighbours and the values three further on (the same channel) have nothing to do with each
  // other.
  for (const size_t apart : {1, 2, 3}) {
    double sum = 0;
    for (size_t i = apart; i < drawn.size(); ++i) sum += drawn[i] * drawn[i - apart];
    EXPECT_NEAR(sum / n, 0, 4 / std::sqrt(n)) << apart;
  }
}

}  // namespace
}  // namespace clipnext::image

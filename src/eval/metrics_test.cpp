#include "eval/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "base/error.h"

namespace clipnext::eval {
namespace {

std::vector<float> random_values(size_t count, unsigned seed, int grid = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& v : values) {
    v = normal(random);
    if (grid > 0) v = std::round(v * static_cast<float>(grid)) / static_cast<float>(grid);
  }
  return values;
}

// One sample whose scores are those.
Guesses guess_one(const std::vector<float>& scores, int64_t label) {
  ThreadPool pool(1);
  const std::vector<float> one = {1};
  const std::vector<int64_t> labels = {label};
  return guess(one, {.weights = scores, .bias = {}, .dim = 1}, labels, pool);
}

TEST(Guess, TiesGoToTheLowerIndex) {
  const std::vector<float> scores = {1, 3, 3, 2, 3, 1, 1, 0};
  const Guesses guesses = guess_one(scores, 4);
  EXPECT_EQ(guesses.k, 5);
  EXPECT_EQ(guesses.ids, (std::vector<int64_t>{1, 2, 4, 3, 0}));
  EXPECT_EQ(guesses.scores, (std::vector<float>{3, 3, 3, 2, 1}));
  const std::vector<int64_t> ranks = {4, 0, 1, 3, 2, 5, 6, 7};
  for (size_t label = 0; label < ranks.size(); ++label) {
    EXPECT_EQ(guess_one(scores, static_cast<int64_t>(label)).ranks[0], ranks[label]);
  }
}

TEST(Guess, ALabelThatIsNoClassIsNeverRight) {
  const Guesses guesses = guess_one({1, 2, 3}, 3);
  const Accuracy accuracy = count_right(guesses, std::vector<int64_t>{3});
  EXPECT_EQ(accuracy.top1, 0);
  EXPECT_EQ(accuracy.top5, 0);
}

// On a coarse grid every product is exact, so that the plain loop has the same ties.
TEST(Guess, EqualsASortOfAllScoresOnAnyNumberOfThreads) {
  constexpr int64_t kCount = 150, kClasses = 37, kDim = 6;
  const auto features = random_values(kCount * kDim, 1, 2);
  const auto weights = random_values(kClasses * kDim, 2, 2);
  const auto bias = random_values(kClasses, 3, 2);
  std::vector<int64_t> labels(kCount);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i * 7 % kClasses);
  const LinearClasses classes{.weights = weights, .bias = bias, .dim = kDim};
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const Guesses guesses = guess(features, classes, labels, pool);
    const std::vector<float> scores = all_scores(features, classes, pool);
    for (int64_t i = 0; i < kCount; ++i) {
      std::vector<float> row(kClasses);
      for (int64_t c = 0; c < kClasses; ++c) {
        double sum = bias[static_cast<size_t>(c)];
        for (int64_t d = 0; d < kDim; ++d) {
          sum += static_cast<double>(features[static_cast<size_t>(i * kDim + d)]) *
                 weights[static_cast<size_t>(c * kDim + d)];
        }
        row[static_cast<size_t>(c)] = static_cast<float>(sum);
        EXPECT_EQ(scores[static_cast<size_t>(i * kClasses + c)], row[static_cast<size_t>(c)]);
      }
      std::vector<int64_t> order(kClasses);
      std::iota(order.begin(), order.end(), int64_t{0});
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return row[static_cast<size_t>(a)] > row[static_cast<size_t>(b)];
      });
      const auto at = static_cast<size_t>(i);
      for (size_t k = 0; k < 5; ++k) EXPECT_EQ(guesses.ids[at * 5 + k], order[k]);
      EXPECT_EQ(guesses.ranks[at],
                std::find(order.begin(), order.end(), labels[at]) - order.begin());
    }
  }
}

TEST(Guess, RejectsWhatWouldCountSilentlyWrong) {
  ThreadPool pool(1);
  const std::vector<float> features = {1, 2, 3, 4}, weights = {1, 0, 0, 1};
  const std::vector<int64_t> labels = {0, 1};
  const LinearClasses classes{.weights = weights, .bias = {}, .dim = 2};
  EXPECT_NO_THROW(guess(features, classes, labels, pool));
  EXPECT_THROW(guess(std::vector<float>{1, NAN, 3, 4}, classes, labels, pool), Error);
  EXPECT_THROW(guess(std::vector<float>{1, INFINITY, 3, 4}, classes, labels, pool), Error);
  EXPECT_THROW(guess(std::vector<float>{1, 2, 3}, classes, labels, pool), Error);
  EXPECT_THROW(guess(features, classes, std::vector<int64_t>{0}, pool), Error);
  EXPECT_THROW(guess(features, classes, std::vector<int64_t>{0, -1}, pool), Error);
  EXPECT_THROW(guess(features, {.weights = {}, .bias = {}, .dim = 2}, labels, pool), Error);
  EXPECT_THROW(guess(features, {.weights = weights, .bias = weights, .dim = 2}, labels, pool),
               Error);
  const std::vector<float> large = {3e38f, 3e38f, 3e38f, 3e38f};
  EXPECT_THROW(guess(large, {.weights = large, .bias = {}, .dim = 2}, labels, pool), Error);
}

TEST(Acc5, IsUndefinedForFewClassesByEachTasksRule) {
  const Accuracy accuracy{.images = 4, .top1 = 1, .top5 = 4, .mean_per_class_recall = 0};
  for (const int64_t classes : {2, 4}) {
    EXPECT_TRUE(std::isnan(zero_shot_acc5(accuracy, classes)));
    EXPECT_TRUE(std::isnan(probe_acc5(accuracy, classes - 1)));
  }
  EXPECT_EQ(zero_shot_acc5(accuracy, 5), 1.0);
  EXPECT_TRUE(std::isnan(probe_acc5(accuracy, 4)));  // five classes
  EXPECT_EQ(zero_shot_acc5(accuracy, 6), 1.0);
  EXPECT_EQ(probe_acc5(accuracy, 5), 1.0);
  EXPECT_EQ(accuracy.acc1(), 0.25);
}

TEST(MeanPerClassRecall, LeavesOutClassesThatDoNotOccur) {
  Guesses guesses;
  guesses.ranks = {0, 0, 3, 7, 0, 1};
  const std::vector<int64_t> labels = {0, 0, 0, 2, 5, 5};  // none of 1, 3, 4
  const Accuracy accuracy = count_right(guesses, labels);
  EXPECT_DOUBLE_EQ(accuracy.mean_per_class_recall, (2.0 / 3 + 0 + 0.5) / 3);
  EXPECT_EQ(accuracy.top1, 3);
  EXPECT_EQ(accuracy.top5, 5);
  EXPECT_THROW(count_right(guesses, std::vector<int64_t>{0}), Error);
  EXPECT_THROW(count_right({}, {}), Error);
}

TEST(AveragePrecision, OfTheSpecificationsExample) {
  ThreadPool pool(1);
  const std::vector<float> scores = {.9f, .8f, .7f, .6f};
  const std::vector<uint8_t> positives = {1, 0, 1, 0};
  EXPECT_NEAR(average_precisions(scores, positives, 1, pool)[0], (1.0 + 2.0 / 3) / 2, 1e-7);
}

// Values of clip_benchmark 1.6.2's average_precision_per_class on the same numbers: a class without
// positives counts as 0, equal scores stay in order.
TEST(AveragePrecision, EqualsTheReference) {
  ThreadPool pool(2);
  const std::vector<float> scores = {.9f, .1f, .3f, .8f, .7f, .2f, .7f, .7f, .1f, .6f, .2f, .5f};
  const std::vector<uint8_t> positives = {1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0};
  const auto precisions = average_precisions(scores, positives, 3, pool);
  EXPECT_EQ(precisions, (std::vector<float>{0.8333333730697632f, 1.0f, 0.0f}));
  EXPECT_NEAR(mean_average_precision(precisions), 0.6111111044883728, 1e-9);
}

TEST(AveragePrecision, RejectsWhatDoesNotFit) {
  ThreadPool pool(1);
  const std::vector<float> scores = {1, 2, 3, 4};
  EXPECT_THROW(average_precisions(scores, std::vector<uint8_t>{1, 0}, 2, pool), Error);
  EXPECT_THROW(average_precisions(scores, std::vector<uint8_t>{1, 0, 2, 0}, 2, pool), Error);
  EXPECT_THROW(average_precisions(scores, std::vector<uint8_t>{1, 0, 1}, 3, pool), Error);
  EXPECT_THROW(average_precisions(std::vector<float>{NAN}, std::vector<uint8_t>{1}, 1, pool),
               Error);
  EXPECT_THROW(mean_average_precision({}), Error);
}

TEST(WilsonInterval, StaysWithinItsRange) {
  EXPECT_NEAR(wilson_interval(8, 10).low, 0.490162, 1e-6);
  EXPECT_NEAR(wilson_interval(8, 10).high, 0.943318, 1e-6);
  EXPECT_EQ(wilson_interval(0, 10).low, 0);
  EXPECT_NEAR(wilson_interval(0, 10).high, 0.277533, 1e-6);
  EXPECT_NEAR(wilson_interval(10, 10).high, 1, 1e-15);
  EXPECT_LE(wilson_interval(10, 10).high, 1);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

}  // namespace
}  // namespace clipnext::eval

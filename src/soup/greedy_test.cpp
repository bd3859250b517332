#include "soup/greedy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "base/file.h"
#include "base/random.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "soup/score_file.h"

namespace clipnext::soup {
namespace {

constexpr size_t kDim = 6;

/// Models as points; an average's score falls with its distance from a place between them.
class Quadratic {
 public:
  Quadratic(uint64_t seed, size_t n) : points_(n, std::vector<double>(kDim)) {
    RandomStream random(random_key(3, seed));
    for (auto& point : points_) {
      for (double& x : point) x = std::round(random.normal() * 4) / 4;  // so that ties occur
    }
  }

  double operator()(std::span<const size_t> members) const {
    ++calls;
    double distance = 0;
    for (size_t k = 0; k < kDim; ++k) {
      double sum = 0;
      for (const size_t i : members) sum += points_[i][k];
      const double mean = sum / static_cast<double>(members.size());
      distance += (mean - 0.1) * (mean - 0.1);
    }
    return -distance;
  }

  mutable int calls = 0;

 private:
  std::vector<std::vector<double>> points_;
};

// The algorithm as the specification has it, written down in its own words.
std::vector<size_t> brute_force(size_t n, const Quadratic& score, bool or_equal) {
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = 0; i < n; ++i) {  // insertion sort: stable
    for (size_t j = i; j > 0; --j) {
      const std::vector<size_t> a = {order[j]};
      const std::vector<size_t> b = {order[j - 1]};
      if (score(a) > score(b)) std::swap(order[j], order[j - 1]);
    }
  }
  std::vector<size_t> soup = {order[0]};
  double best = score(soup);
  for (size_t k = 1; k < n; ++k) {
    std::vector<size_t> candidate = soup;
    candidate.push_back(order[k]);
    const double value = score(candidate);
    if (value > best || (or_equal && value == best)) {
      soup = candidate;
      best = value;
    }
  }
  return soup;
}

TEST(SoupGreedy, AdmitsWhatABruteForceReferenceAdmits) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const size_t n = 1 + seed % 12;
    const Quadratic score(seed, n);
    for (const bool or_equal : {false, true}) {
      const GreedyResult result =
          greedy(n, score, or_equal ? Accept::kGreaterOrEqual : Accept::kGreater);
      EXPECT_EQ(result.members, brute_force(n, score, or_equal)) << seed;
      EXPECT_EQ(result.trace.size(), n);
      EXPECT_EQ(result.trace.back().soup_size, result.members.size());
      EXPECT_EQ(result.score, score(result.members));
    }
  }
}

TEST(SoupGreedy, EqualScoresGoInTheOrderGivenAndAddNothingUnlessAsked) {
  const auto same = [](std::span<const size_t>) { return 0.5; };
  EXPECT_EQ(greedy(4, same, Accept::kGreater).members, (std::vector<size_t>{0}));
  EXPECT_EQ(greedy(4, same, Accept::kGreaterOrEqual).members, (std::vector<size_t>{0, 1, 2, 3}));
}

TEST(SoupGreedy, ScoresThatAreNoNumbersAreErrors) {
  const auto nan = [](std::span<const size_t>) { return 0.0 / 0.0; };
  EXPECT_NE(message_of([&] { greedy(2, nan, Accept::kGreater); }).find("nothing can be ranked"),
            std::string::npos);
}

std::string key_of(std::span<const size_t> members) {
  std::vector<std::string> names;
  for (const size_t i : members) names.push_back(std::to_string(i));
  return score_key(names, "how", "evaluator");
}

TEST(SoupGreedy, GoesOnAfterAKillToTheSameTrace) {
  constexpr size_t kModels = 8;
  const TestFolder folder;
  const Quadratic score(11, kModels);
  const GreedyResult whole = greedy(kModels, std::cref(score), Accept::kGreater);
  const int calls = std::exchange(score.calls, 0);
  EXPECT_EQ(calls, 2 * static_cast<int>(kModels) - 1);

  struct Killed {};
  int left = 10;
  const auto kept = [&](std::span<const size_t> members) {
    ScoreFile file(folder / "scores.jsonl");
    if (const auto known = file.find(key_of(members))) return known->at("acc");
    if (left-- == 0) throw Killed();
    const double value = score(members);
    file.add(key_of(members), {{"acc", value}});
    return value;
  };
  EXPECT_THROW(greedy(kModels, kept, Accept::kGreater), Killed);
  // What a kill in the middle of a line leaves.
  const std::string lines = read_file(folder / "scores.jsonl");
  write_file(folder / "scores.jsonl", lines + "{\"key\": \"12");
  left = 1000;
  const GreedyResult resumed = greedy(kModels, kept, Accept::kGreater);
  EXPECT_EQ(score.calls, calls);  // none twice
  EXPECT_EQ(resumed.members, whole.members);
  for (size_t i = 0; i < kModels; ++i) {
    EXPECT_EQ(resumed.trace[i].candidate, whole.trace[i].candidate);
    EXPECT_EQ(resumed.trace[i].score, whole.trace[i].score);
    EXPECT_EQ(resumed.trace[i].admitted, whole.trace[i].admitted);
  }
}

TEST(SoupScoreFile, DamageIsNamedByLine) {
  const TestFolder folder;
  write_file(folder / "s", "{\"key\": \"a\", \"scores\": {\"acc\": 1}}\n{\"key\": 3}\n");
  EXPECT_NE(message_of([&] { ScoreFile file(folder / "s"); }).find("s:2"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::soup

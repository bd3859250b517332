#include "data/shuffle_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

namespace clipnext::data {
namespace {

struct Outcome {
  std::vector<int64_t> out;
  std::vector<int64_t> taken;  // from the source, when each came out
};

Outcome shuffle(int64_t n, int64_t size, int64_t initial, uint64_t key = 1) {
  ShuffleBuffer<int64_t> buffer(size, initial, key);
  int64_t taken = 0;
  bool ended = false;
  Outcome run;
  while (const auto x = buffer.next([&]() -> std::optional<int64_t> {
    EXPECT_FALSE(ended) << "asked again after the end";
    if (taken < n) return taken++;
    ended = true;
    return std::nullopt;
  })) {
    run.out.push_back(*x);
    run.taken.push_back(taken);
  }
  return run;
}

// The numbers are of webdataset 0.2.86.
TEST(ShuffleBuffer, GrowsAndDrainsAsTheReferenceDoes) {
  const auto taken = [](int64_t n, int64_t size, int64_t initial) {
    return shuffle(n, size, initial).taken;
  };
  using Taken = std::vector<int64_t>;
  EXPECT_EQ(taken(12, 6, 4), (Taken{4, 6, 8, 9, 10, 11, 12, 12, 12, 12, 12, 12}));
  EXPECT_EQ(taken(12, 3, 8), (Taken{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 12}));
  EXPECT_EQ(taken(5, 10, 4), (Taken{4, 5, 5, 5, 5}));
  EXPECT_EQ(taken(7, 4, 0), (Taken{2, 4, 6, 7, 7, 7, 7}));
  EXPECT_EQ(taken(5, 0, 0), (Taken{1, 2, 3, 4, 5}));
  EXPECT_EQ(taken(6, 5, 5), (Taken{5, 6, 6, 6, 6, 6}));
  EXPECT_EQ(taken(3, 10, 10), (Taken{3, 3, 3}));
  EXPECT_EQ(taken(0, 10, 10), (Taken{}));
}

TEST(ShuffleBuffer, GivesEachElementOnceInAnotherOrder) {
  const Outcome run = shuffle(1000, 100, 50);
  std::vector<int64_t> sorted = run.out;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int64_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(sorted, all);
  EXPECT_NE(run.out, all);
  EXPECT_EQ(run.out, shuffle(1000, 100, 50).out);
  EXPECT_NE(run.out, shuffle(1000, 100, 50, 2).out);
  EXPECT_EQ(shuffle(50, 1, 1).out, std::vector<int64_t>(all.begin(), all.begin() + 50));
}

TEST(ShuffleBuffer, PicksUniformly) {
  constexpr int kRuns = 20'000;
  std::vector<int> first(10);
  for (int key = 0; key < kRuns; ++key) {
    ++first[static_cast<size_t>(shuffle(10, 10, 10, static_cast<uint64_t>(key)).out[0])];
  }
  for (const int count : first) EXPECT_NEAR(count, 0.1 * kRuns, 5 * std::sqrt(kRuns * 0.09));
}

}  // namespace
}  // namespace clipnext::data

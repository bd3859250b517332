#include "train/parallel.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace clipnext::train {
namespace {

/// libtorch's threads set to n, and back at the end.
class Threads {
 public:
  explicit Threads(int n) : before_(at::get_num_threads()) { at::set_num_threads(n); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

TEST(ParallelFor, GivesEveryThreadItsShare) {
  const Threads threads(2);
  std::array<std::thread::id, 2> ran_on;
  parallel_for(2, [&](int64_t i) { ran_on[static_cast<size_t>(i)] = std::this_thread::get_id(); });
  EXPECT_NE(ran_on[0], ran_on[1]);
}

TEST(ParallelFor, VisitsEachIndexOnce) {
  const Threads threads(3);
  for (const int64_t grain : {1, 7, 1000}) {
    std::array<std::atomic<int>, 100> visits{};
    parallel_for(
        100, [&](int64_t i) { ++visits[static_cast<size_t>(i)]; }, grain);
    for (const auto& n : visits) EXPECT_EQ(n, 1) << grain;
  }
}

}  // namespace
}  // namespace clipnext::train

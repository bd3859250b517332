#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"

namespace clipnext {
namespace {

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<int> hits(static_cast<size_t>(count), 0);
      pool.parallel_for(count, [&](int64_t i) { ++hits[static_cast<size_t>(i)]; });
      EXPECT_EQ(std::accumulate(hits.begin(), hits.end(), int64_t{0}), count);
      for (int hit : hits) EXPECT_EQ(hit, 1);
    }
  }
}

TEST(ThreadPool, RethrowsAndStaysUsable) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.parallel_for(100, [](int64_t i) { require(i != 57, "fifty-seven"); }), Error);
  std::atomic<int64_t> sum{0};
  pool.parallel_for(100, [&](int64_t i) { sum += i; });
  EXPECT_EQ(sum.load(), 4950);
}

TEST(ThreadPool, RunsALoopInsideALoopInPlace) {
  ThreadPool pool(2);
  std::atomic<int64_t> sum{0};
  pool.parallel_for(4, [&](int64_t) { pool.parallel_for(10, [&](int64_t j) { sum += j; }); });
  EXPECT_EQ(sum.load(), 4 * 45);
}

TEST(ThreadPool, ServesSeveralCallersOneAfterAnother) {
  ThreadPool pool(2);
  std::atomic<int64_t> sum{0};
  const auto call = [&] {
    for (int i = 0; i < 200; ++i) pool.parallel_for(10, [&](int64_t j) { sum += j; });
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_EQ(sum.load(), 2 * 200 * 45);
}

TEST(ThreadPool, AtLeastOneCpuIsUsable) { EXPECT_GE(usable_cpus(), 1); }

}  // namespace
}  // namespace clipnext

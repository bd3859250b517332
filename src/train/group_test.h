// For tests only.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "train/group.h"

namespace clipnext::train {

/// f(group) in `size` threads, each a rank of its own. Tests run beside each other, so the port is
/// the process's own; below those that the system hands out.
template <class F>
void with_ranks(int64_t size, const F& f) {
  static std::atomic<int> used{0};
  const int at = 10000 + getpid() % 2000 * 8 + used++ % 8;
  std::vector<std::thread> ranks;
  for (int64_t rank = 0; rank < size; ++rank) {
    ranks.emplace_back([&, rank] {
      Group group({.rank = rank, .size = size, .port = at, .timeout = std::chrono::seconds(60)});
      f(group);
    });
  }
  for (std::thread& rank : ranks) rank.join();
}

}  // namespace clipnext::train

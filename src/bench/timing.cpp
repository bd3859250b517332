#include "bench/timing.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/interrupt.h"

namespace clipnext::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

Timing time_repeats(double min_seconds, const std::function<void()>& body) {
  constexpr size_t kLeast = 3;
  std::vector<double> seconds;
  double total = 0;
  const auto run = [&] {
    const Clock::time_point begin = Clock::now();
    body();
    seconds.push_back(seconds_since(begin));
    total += seconds.back();
  };
  run();
  if (!interrupted()) {
    seconds.clear();
    total = 0;
    while ((total < min_seconds || seconds.size() < kLeast) && !interrupted()) run();
  }
  if (seconds.empty()) run();
  std::sort(seconds.begin(), seconds.end());
  const size_t middle = seconds.size() / 2;
  const double median =
      seconds.size() % 2 != 0 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  return {seconds.front(), median, static_cast<int64_t>(seconds.size())};
}

}  // namespace clipnext::bench

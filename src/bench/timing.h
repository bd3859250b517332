// Repeated timing of one piece of work.
#pragma once

#include <cstdint>
#include <functional>

namespace clipnext::bench {

/// Seconds of one run. The minimum is what the work costs when nothing else runs, the median what
/// it cost here.
struct Timing {
  double minimum = 0;
  double median = 0;
  int64_t repeats = 0;
};

/// Runs `body` once to warm up, then repeatedly until min_seconds have passed, at least three
/// times. After an interrupt (base/interrupt.h) it returns with what it has, at least one run.
Timing time_repeats(double min_seconds, const std::function<void()>& body);

}  // namespace clipnext::bench

// What this processor can do at most, measured: the number that a kernel's speed is a share of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace clipnext::bench {

/// The rate of one register-only loop (ceiling_loops.h), on every thread of a pool at once.
struct Ceiling {
  std::string dtype;
  std::string instruction;
  int threads = 1;
  double operations_per_second = 0;
};

/// Every loop that this processor has and the instruction set of `kernels` allows, best of runs
/// within `seconds` for each.
std::vector<Ceiling> measure_ceilings(const kernels::Kernels& kernels, ThreadPool& pool,
                                      double seconds);

/// The highest of that type, or of fp32 where none multiplies that type; 0 for an empty list (the
/// `ref` table has no ceiling).
double ceiling_of(const std::vector<Ceiling>& ceilings, std::string_view dtype);

/// Bytes a second that the pool's threads read from memory, 128 MiB each.
double measure_read_bandwidth(ThreadPool& pool, double seconds);

}  // namespace clipnext::bench

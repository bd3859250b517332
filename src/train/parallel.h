#pragma once

#include <ATen/Parallel.h>

#include <cstdint>

#ifndef INTRA_OP_PARALLEL
#error "without OpenMP (-fopenmp) ATen's parallel_for runs on one thread"
#endif

namespace clipnext::train {

/// body(i) for every i from 0 to below count, on libtorch's threads, each of which takes `grain`
/// or more in a row.
template <class F>
void parallel_for(int64_t count, const F& body, int64_t grain = 1) {
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace clipnext::train

// Timing a kernel at a shape, on one thread.
#pragma once

#include "bench/op_shapes.h"
#include "bench/timing.h"
#include "kernels/kernels.h"

namespace clipnext::bench {

/// Seconds of one run of the fp32 kernel on data of its own.
Timing time_op(const kernels::Kernels& kernels, const OpShape& shape, double min_seconds);

}  // namespace clipnext::bench

// Timing a kernel at a shape, on one thread.
#pragma once

#include <string_view>

#include "bench/op_shapes.h"
#include "bench/timing.h"
#include "kernels/kernels.h"

namespace clipnext::bench {

/// What an op computes in when a model runs in `dtype` ("fp32", "bf16", "int8"): products and the
/// layer norms that feed them in that type, the others in fp32.
std::string_view op_dtype(Op op, std::string_view dtype);

/// Seconds of one run of the kernel on data of its own. Products with a residual end in fp32, as
/// the stream of activations does, the others in what the next product reads.
Timing time_op(const kernels::Kernels& kernels, const OpShape& shape, std::string_view dtype,
               double min_seconds);

}  // namespace clipnext::bench

// Which source pixels each output of a resize is made of, and with which weights.
#pragma once

#include <cstdint>
#include <vector>

#include "image/resize.h"

namespace clipnext::image {

/// A range of outputs of one axis, so that what a crop will throw away is never computed.
struct Span {
  int64_t begin = 0;
  int64_t size = 0;
};

/// One axis: output span.begin + i is the sum over j < count[i] of source pixel begin[i] + j times
/// weights[i * taps + j].
struct AxisPlan {
  int64_t taps = 0;
  std::vector<int32_t> begin, count;
  std::vector<double> weights;
};

/// The outputs `span` of resizing `source` pixels to `target`, as Pillow computes them in double
/// (src/libImaging/Resample.c, precompute_coeffs): the filter is widened when shrinking; windows
/// are cut at the edges and renormalised.
AxisPlan plan_axis(int source, int64_t target, Span span, Filter filter);

/// The weights with 22 fraction bits, rounded half away from zero.
std::vector<int32_t> fixed_point(const std::vector<double>& weights);

}  // namespace clipnext::image

// Python's round().
#pragma once

#include <cmath>
#include <cstdint>

namespace clipnext::image {

/// To the nearest whole number, half to even; the rounding mode is the default one.
inline int64_t round_even(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

}  // namespace clipnext::image

// Arithmetic on sizes that come from outside: overflow is an error, not a wrap.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace clipnext {

/// a + b; throws Error naming `what` on overflow.
inline int64_t checked_add(int64_t a, int64_t b, const char* what) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) fail(what, ": ", a, " + ", b, " overflows");
  return sum;
}

/// a * b; throws Error naming `what` on overflow.
inline int64_t checked_mul(int64_t a, int64_t b, const char* what) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) fail(what, ": ", a, " * ", b, " overflows");
  return product;
}

/// Product of a shape, 1 for rank 0; throws Error if a side is negative or the product overflows.
inline int64_t checked_numel(std::span<const int64_t> shape, const char* what) {
  int64_t product = 1;
  bool empty = false;
  for (int64_t side : shape) {
    require(side >= 0, what, ": negative side ", side);
    empty = empty || side == 0;
    // A side of 0 must not hide an overflow of the others.
    product = checked_mul(product, side == 0 ? 1 : side, what);
  }
  return empty ? 0 : product;
}

}  // namespace clipnext

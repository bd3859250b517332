// From a strided layout to dense row-major: transposes, slices, Fortran order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace clipnext::weights {

/// Copies the elements of `item` bytes at sum(index[i] * strides[i]) in row-major order of the
/// index. Strides count elements and are not negative; the caller has checked that the last one
/// lies in `from`, and `to` has the size of the whole shape.
void copy_strided(std::span<const std::byte> from, std::span<const int64_t> shape,
                  std::span<const int64_t> strides, int64_t item, std::span<std::byte> to);

}  // namespace clipnext::weights

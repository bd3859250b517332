#include "weights/strided.h"

#include <cstring>
#include <vector>

namespace clipnext::weights {
namespace {

// One row: `count` elements `stride` bytes apart.
template <int64_t kItem>
void copy_row(const std::byte* from, int64_t count, int64_t stride, std::byte* to) {
  for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * kItem, from + i * stride, kItem);
}

void copy_row(const std::byte* from, int64_t count, int64_t stride, int64_t item, std::byte* to) {
  switch (item) {
    case 1:
      return copy_row<1>(from, count, stride, to);
    case 2:
      return copy_row<2>(from, count, stride, to);
    case 4:
      return copy_row<4>(from, count, stride, to);
    default:
      return copy_row<8>(from, count, stride, to);
  }
}

}  // namespace

void copy_strided(std::span<const std::byte> from, std::span<const int64_t> shape,
                  std::span<const int64_t> strides, int64_t item, std::span<std::byte> to) {
  if (to.empty()) return;
  if (shape.empty()) {
    std::memcpy(to.data(), from.data(), to.size());
    return;
  }
  const size_t last = shape.size() - 1;
  const int64_t row_bytes = shape[last] * item;
  std::vector<int64_t> index(last, 0);  // of the current row
  int64_t offset = 0;
  for (std::byte* row = to.data(); row != to.data() + to.size(); row += row_bytes) {
    copy_row(from.data() + offset * item, shape[last], strides[last] * item, item, row);
    for (size_t i = last; i-- > 0;) {
      offset += strides[i];
      if (++index[i] < shape[i]) break;
      offset -= strides[i] * shape[i];
      index[i] = 0;
    }
  }
}

}  // namespace clipnext::weights

#include "infer/patches.h"

#include <algorithm>

namespace clipnext::infer {
namespace {

/// Calls copy(n, row, first_column, columns, out) for the part of each window row that lies inside
/// the h x w map, and zeroes the rest.
template <class Copy>
void gather(int64_t h, int64_t w, int64_t c, const Window& window, int64_t begin, int64_t end,
            float* out, const Copy& copy) {
  const int64_t out_h = window.outputs(h);
  const int64_t out_w = window.outputs(w);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t top = i / out_w % out_h * window.stride - window.padding;
    const int64_t left = i % out_w * window.stride - window.padding;
    const int64_t first = std::max<int64_t>(left, 0);
    const int64_t last = std::min(left + window.size, w);
    for (int64_t row = top; row < top + window.size; ++row, out += window.size * c) {
      if (row < 0 || row >= h) {
        std::fill_n(out, window.size * c, 0.0f);
        continue;
      }
      std::fill_n(out, (first - left) * c, 0.0f);
      copy(i / out_w / out_h, row, first, last - first, out + (first - left) * c);
      std::fill_n(out + (last - left) * c, (left + window.size - last) * c, 0.0f);
    }
  }
}

}  // namespace

void gather_pixels(const model::PixelBatch& batch, const PixelTable& table, const Window& window,
                   int64_t begin, int64_t end, float* out) {
  const int64_t h = batch.h;
  const int64_t w = batch.w;
  gather(h, w, 3, window, begin, end, out,
         [&](int64_t n, int64_t row, int64_t column, int64_t columns, float* y) {
           const uint8_t* p = batch.pixels + ((n * h + row) * w + column) * 3;
           for (int64_t i = 0; i < columns; ++i, p += 3, y += 3) {
             y[0] = table[0][p[0]];
             y[1] = table[1][p[1]];
             y[2] = table[2][p[2]];
           }
         });
}

void gather_map(const float* x, int64_t h, int64_t w, int64_t c, const Window& window,
                int64_t begin, int64_t end, float* out) {
  gather(h, w, c, window, begin, end, out,
         [&](int64_t n, int64_t row, int64_t column, int64_t columns, float* y) {
           std::copy_n(x + ((n * h + row) * w + column) * c, columns * c, y);
         });
}

}  // namespace clipnext::infer

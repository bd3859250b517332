#include "infer/patches.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace clipnext::infer {
namespace {

/// value(n, row, column, channel) or 0 outside, in the order of the definition.
template <class Value>
std::vector<float> expected(int64_t n, int64_t h, int64_t w, int64_t c, const Window& window,
                            const Value& value) {
  std::vector<float> patches;
  for (int64_t i = 0; i < n * window.outputs(h) * window.outputs(w); ++i) {
    const int64_t column = i % window.outputs(w);
    const int64_t row = i / window.outputs(w) % window.outputs(h);
    const int64_t picture = i / window.outputs(w) / window.outputs(h);
    for (int64_t tap = 0; tap < window.size * window.size; ++tap) {
      const int64_t y = row * window.stride - window.padding + tap / window.size;
      const int64_t x = column * window.stride - window.padding + tap % window.size;
      const bool inside = y >= 0 && y < h && x >= 0 && x < w;
      for (int64_t j = 0; j < c; ++j) {
        patches.push_back(inside ? value(((picture * h + y) * w + x) * c + j, j) : 0.0f);
      }
    }
  }
  return patches;
}

const std::vector<Window> kWindows = {{4, 4, 0}, {2, 2, 0}, {3, 2, 1}, {3, 1, 1}, {7, 7, 0}};

TEST(GatherMap, FollowsTheDefinitionAtEveryEdge) {
  const int64_t n = 2;
  const int64_t h = 9;
  const int64_t w = 11;
  const int64_t c = 5;
  std::vector<float> x(static_cast<size_t>(n * h * w * c));
  std::iota(x.begin(), x.end(), 1.0f);
  for (const Window& window : kWindows) {
    const auto want = expected(n, h, w, c, window,
                               [&](int64_t at, int64_t) { return x[static_cast<size_t>(at)]; });
    const int64_t row = window.size * window.size * c;
    const int64_t rows = static_cast<int64_t>(want.size()) / row;
    std::vector<float> got(want.size(), -1.0f);
    gather_map(x.data(), h, w, c, window, 0, rows / 3, got.data());
    gather_map(x.data(), h, w, c, window, rows / 3, rows, got.data() + rows / 3 * row);
    EXPECT_EQ(got, want) << window.size << " " << window.stride << " " << window.padding;
  }
}

TEST(GatherPixels, NormalisesAndPadsWithZero) {
  const int64_t h = 8;
  const int64_t w = 10;
  std::vector<uint8_t> pixels(static_cast<size_t>(2 * h * w * 3));
  std::iota(pixels.begin(), pixels.end(), uint8_t{3});
  PixelTable table;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t v = 0; v < 256; ++v) table[c][v] = static_cast<float>(1000 * c + v) + 0.5f;
  }
  for (const Window& window : kWindows) {
    const auto want = expected(2, h, w, 3, window, [&](int64_t at, int64_t channel) {
      return table[static_cast<size_t>(channel)][pixels[static_cast<size_t>(at)]];
    });
    std::vector<float> got(want.size(), -1.0f);
    gather_pixels({pixels.data(), 2, h, w}, table, window, 0,
                  2 * window.outputs(h) * window.outputs(w), got.data());
    EXPECT_EQ(got, want) << window.size << " " << window.stride << " " << window.padding;
  }
}

}  // namespace
}  // namespace clipnext::infer

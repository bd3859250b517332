#include "model/position.h"

#include <algorithm>
#include <cmath>

namespace clipnext::model {
namespace {

/// Output = sum of weight[k] * input[begin + k].
struct Window {
  int64_t begin = 0;
  std::vector<double> weight;
};

double cubic(double x) {
  constexpr double a = -0.5;  // the antialiased path of torch uses Pillow's kernel
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

std::vector<Window> cubic_windows(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(1.0, scale);
  const double support = 2 * filter_scale;
  std::vector<Window> windows(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto begin =
        std::max<int64_t>(0, static_cast<int64_t>(std::floor(centre - support + 0.5)));
    const auto end = std::min(in, static_cast<int64_t>(std::floor(centre + support + 0.5)));
    Window& window = windows[static_cast<size_t>(i)];
    window.begin = begin;
    double sum = 0;
    for (int64_t k = begin; k < end; ++k) {
      window.weight.push_back(cubic((static_cast<double>(k) + 0.5 - centre) / filter_scale));
      sum += window.weight.back();
    }
    for (double& w : window.weight) w /= sum;
  }
  return windows;
}

std::vector<Window> linear_windows(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  std::vector<Window> windows(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    const double at = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
    const auto begin = std::min(in - 1, static_cast<int64_t>(at));
    const double fraction = at - static_cast<double>(begin);
    Window& window = windows[static_cast<size_t>(i)];
    window.begin = begin;
    window.weight =
        begin + 1 < in ? std::vector<double>{1 - fraction, fraction} : std::vector<double>{1.0};
  }
  return windows;
}

/// in [outer, size, inner] to [outer, windows, inner].
std::vector<double> resample(const std::vector<double>& in, int64_t outer, int64_t size,
                             int64_t inner, const std::vector<Window>& windows) {
  std::vector<double> out(static_cast<size_t>(outer * inner) * windows.size(), 0.0);
  double* y = out.data();
  for (int64_t o = 0; o < outer; ++o) {
    for (const Window& window : windows) {
      const double* x = in.data() + (o * size + window.begin) * inner;
      for (double weight : window.weight) {
        for (int64_t j = 0; j < inner; ++j) y[j] += weight * x[j];
        x += inner;
      }
      y += inner;
    }
  }
  return out;
}

}  // namespace

std::vector<float> resize_grid_positions(const std::vector<float>& table, int64_t old, int64_t h,
                                         int64_t w, int64_t width) {
  const std::vector<double> grid(table.begin() + width, table.end());  // [old, old, width]
  const auto rows = resample(grid, 1, old, old * width, cubic_windows(old, h));
  const auto resized = resample(rows, h, old, width, cubic_windows(old, w));  // [h, w, width]
  std::vector<float> out(table.begin(), table.begin() + width);
  out.reserve(resized.size() + static_cast<size_t>(width));
  for (double v : resized) out.push_back(static_cast<float>(v));
  return out;
}

std::vector<float> resize_text_positions(const std::vector<float>& table, int64_t old, int64_t rows,
                                         int64_t width) {
  const std::vector<double> in(table.begin(), table.end());
  const auto out = resample(in, 1, old, width, linear_windows(old, rows));
  std::vector<float> result(out.size());
  std::transform(out.begin(), out.end(), result.begin(),
                 [](double v) { return static_cast<float>(v); });
  return result;
}

}  // namespace clipnext::model

#include "page/line_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>

#include "page/markup.h"
#include "page/svg.h"

namespace clipnext::page {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr size_t kMostPoints = 1000;
constexpr size_t kStretches = 500;
// Told apart also by who sees no red and green (Okabe and Ito, 2008); enough for pages light and
// dark.
constexpr std::array kColours = {"#0b78c2", "#d55e00", "#009e73", "#cc79a7",
                                 "#b8860b", "#56b4e9", "#7f5fbf", "#7a7a7a"};

Points thinned(const Points& points) {
  if (points.size() <= kMostPoints) return points;
  Points kept;
  for (size_t i = 0; i < kStretches; ++i) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(i * points.size() / kStretches);
    const auto end =
        points.begin() + static_cast<std::ptrdiff_t>((i + 1) * points.size() / kStretches);
    auto [low, high] = std::minmax_element(
        begin, end, [](const auto& a, const auto& b) { return a.second < b.second; });
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (high != low) kept.push_back(*high);
  }
  return kept;
}

struct Scales {
  Scale x, y;
};

Scales fit(const std::vector<Points>& curves) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Scales scales{.x = {kInfinity, -kInfinity, kChartArea.left, kChartArea.right - 8},
                .y = {kInfinity, -kInfinity, kChartArea.bottom, kChartArea.top + 8}};
  for (const Points& points : curves) {
    for (const auto& [x, y] : points) {
      scales.x.low = std::min(scales.x.low, x);
      scales.x.high = std::max(scales.x.high, x);
      scales.y.low = std::min(scales.y.low, y);
      scales.y.high = std::max(scales.y.high, y);
    }
  }
  if (scales.x.high <= scales.x.low) scales.x.high = scales.x.low + 1;
  const double more = std::max((scales.y.high - scales.y.low) * 0.04,
                               1e-6 * std::max(std::abs(scales.y.high), 1e-6));
  scales.y.low -= more;
  scales.y.high += more;
  return scales;
}

// 20000 to "20 k".
std::string tick_text(double value, double step) {
  for (const auto& [unit, name] : {std::pair(1e9, "G"), {1e6, "M"}, {1e3, "k"}}) {
    if (std::abs(value) >= unit && step >= unit / 10 * 0.999) {
      return fixed(value / unit, step_digits(step / unit)) + " " + name;
    }
  }
  if (std::abs(step) < 1e-4) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3g", value);
    return text.data();
  }
  return fixed(value, step_digits(step));
}

template <class F>
void each_tick(const Scale& scale, const F& tick) {
  const double step = round_step(scale.high - scale.low);
  const double first = std::ceil(scale.low / step);
  for (int i = 0; i <= 12; ++i) {
    const double value = (first + i) * step;
    if (value > scale.high) return;
    tick(value, step);
  }
}

std::string x_ticks(const Scale& x) {
  std::string out;
  each_tick(x, [&](double value, double step) {
    out += svg_line(x(value), kChartArea.top, x(value), kChartArea.bottom, "cx-grid") +
           svg_text(x(value), kChartArea.bottom + 20, "middle", tick_text(value, step));
  });
  return out;
}

std::string y_tick(const Scale& y, double at, const std::string& text) {
  return svg_line(kChartArea.left, y(at), kChartArea.right, y(at), "cx-grid") +
         svg_text(kChartArea.left - 8, y(at) + 4, "end", text);
}

// Where y is over the logarithm: 1, 2, 5 of each power of ten if there are few of them.
std::string log_ticks(const Scale& y) {
  std::string out;
  const bool narrow = y.high - y.low < 2.2;
  const int first = static_cast<int>(std::floor(y.low));
  for (int power = first; power <= std::min(first + 40, static_cast<int>(y.high) + 1); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double at = power + std::log10(factor);
      if (at < y.low || at > y.high || (!narrow && factor != 1.0)) continue;
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%.4g", std::pow(10, at));
      out += y_tick(y, at, text.data());
    }
  }
  return out;
}

std::string y_ticks(const Scale& y) {
  std::string out;
  each_tick(y, [&](double value, double step) { out += y_tick(y, value, tick_text(value, step)); });
  return out;
}

std::string path(const Points& points, const Scales& scales, const std::string& colour,
                 const std::string& name) {
  std::string d;
  for (const auto& [x, y] : points) {
    d += (d.empty() ? "M" : "L") + fixed(scales.x(x), 1) + " " + fixed(scales.y(y), 1);
  }
  std::string out = "<g><title>" + escape(name) + "</title><path fill=\"none\" stroke=\"" + colour +
                    "\" stroke-width=\"1.5\" stroke-linejoin=\"round\" d=\"" + d + "\"/>";
  if (points.size() == 1) {
    out += "<circle fill=\"" + colour + "\" cx=\"" + fixed(scales.x(points[0].first), 1) +
           "\" cy=\"" + fixed(scales.y(points[0].second), 1) + "\" r=\"3\"/>";
  }
  return out + "</g>\n";
}

// Names in the upper right corner, under one another.
std::string legend(const std::vector<Curve>& curves, const std::vector<Points>& drawn) {
  std::string out;
  double y = kChartArea.top + 12;
  for (size_t i = 0; i < curves.size() && y < kChartArea.bottom; ++i) {
    if (drawn[i].empty()) continue;
    out += svg_text(
        kChartArea.right - 4, y, "end", shortened(curves[i].name, 40),
        " class=\"cx-small\" style=\"fill:" + std::string(kColours[i % kColours.size()]) + "\"");
    y += 14;
  }
  return out;
}

}  // namespace

std::string line_svg(const LineChart& chart) {
  std::vector<Points> drawn;
  bool any = false;
  for (const Curve& curve : chart.curves) {
    Points points;
    for (const auto& [x, y] : curve.points) {
      if (!std::isfinite(x) || !std::isfinite(y) || (chart.log_y && !(y > 0))) continue;
      points.emplace_back(x, chart.log_y ? std::log10(y) : y);
    }
    any = any || !points.empty();
    drawn.push_back(thinned(points));
  }
  std::string svg = begin_svg(kChartWidth, kChartHeight, chart.title) +
                    svg_axes(chart.title, chart.x_label, chart.y_label);
  if (any) {
    const Scales scales = fit(drawn);
    svg += x_ticks(scales.x) + (chart.log_y ? log_ticks(scales.y) : y_ticks(scales.y));
    for (size_t i = 0; i < drawn.size(); ++i) {
      if (drawn[i].empty()) continue;
      svg += path(drawn[i], scales, kColours[i % kColours.size()], chart.curves[i].name);
    }
    if (chart.curves.size() > 1) svg += legend(chart.curves, drawn);
  }
  return svg + "</svg>\n";
}

}  // namespace clipnext::page

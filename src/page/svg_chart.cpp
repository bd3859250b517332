#include "page/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "page/markup.h"
#include "page/svg.h"

namespace clipnext::page {
namespace {

bool overlap(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

// 20e9 to "20 G"; ticks have one digit that is not zero.
std::string short_number(double value) {
  for (const auto& [unit, name] : {std::pair(1e12, "T"), {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}) {
    if (value >= unit * 0.9999) return fixed(value / unit, 0) + " " + name;
  }
  return fixed(value, value < 0.09 ? 3 : value < 0.9 ? 1 : 0);
}

struct Scales {
  Scale x, y;  // x over the logarithm
};

Scales fit(const std::vector<ChartPoint>& points) {
  const auto infinity = std::numeric_limits<double>::infinity();
  Scales scales{.x = {infinity, -infinity, kChartArea.left + 12, kChartArea.right - 12},
                .y = {infinity, -infinity, kChartArea.bottom - 12, kChartArea.top + 12}};
  for (const ChartPoint& point : points) {
    scales.x.low = std::min(scales.x.low, std::log10(point.x));
    scales.x.high = std::max(scales.x.high, std::log10(point.x));
    scales.y.low = std::min(scales.y.low, point.y);
    scales.y.high = std::max(scales.y.high, point.y);
  }
  const auto widen = [](Scale& scale, double least) {
    const double more = std::max((scale.high - scale.low) * 0.06, least);
    scale.low -= more;
    scale.high += more;
  };
  widen(scales.x, 0.05);
  widen(scales.y, std::max(1e-3, 1e-3 * std::abs(scales.y.high)));
  return scales;
}

std::string y_ticks(const Chart& chart, const Scale& y) {
  std::string out;
  const double step = round_step(y.high - y.low);
  const int digits = std::max(step_digits(step) - (chart.percent_y ? 2 : 0), 0);
  for (int i = 0; i <= 12; ++i) {
    const double value = (std::ceil(y.low / step) + i) * step;
    if (value > y.high) break;
    out += svg_line(kChartArea.left, y(value), kChartArea.right, y(value), "cx-grid");
    out += svg_text(kChartArea.left - 8, y(value) + 4, "end",
                    chart.percent_y ? percent(value, digits) : fixed(value, digits));
  }
  return out;
}

std::string x_ticks(const Scale& x) {
  std::string out;
  const bool narrow = x.high - x.low < 2.2;
  const auto first = static_cast<int>(std::floor(x.low));
  for (int power = first; power <= std::min(first + 40, static_cast<int>(x.high) + 1); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double at = power + std::log10(factor);
      if (at < x.low || at > x.high || (!narrow && factor != 1.0)) continue;
      out += svg_line(x(at), kChartArea.top, x(at), kChartArea.bottom, "cx-grid");
      out += svg_text(x(at), kChartArea.bottom + 20, "middle", short_number(std::pow(10, at)));
    }
  }
  return out;
}

// A line through the points that are best for their x.
std::string frontier(std::vector<ChartPoint> points, const Scales& scales) {
  std::sort(points.begin(), points.end(), [](const ChartPoint& a, const ChartPoint& b) {
    return a.x != b.x ? a.x < b.x : a.y > b.y;
  });
  std::string path;
  double best = -std::numeric_limits<double>::infinity();
  for (const ChartPoint& point : points) {
    if (point.y <= best) continue;
    best = point.y;
    path += (path.empty() ? "M" : "L") + fixed(scales.x(std::log10(point.x)), 1) + " " +
            fixed(scales.y(point.y), 1);
  }
  return "<path class=\"cx-line\" d=\"" + path + "\"/>\n";
}

// Labels where there is room for them: right, left, above or below their point; else none (the
// point's own title remains).
std::string labels(const std::vector<ChartPoint>& points, const Scales& scales) {
  constexpr double kLetter = 6.2, kLine = 12;
  std::vector<Box> taken;
  for (const ChartPoint& point : points) {
    const double x = scales.x(std::log10(point.x));
    const double y = scales.y(point.y);
    taken.push_back({x - 5, y - 5, x + 5, y + 5});
  }
  std::string out;
  for (const ChartPoint& point : points) {
    const double x = scales.x(std::log10(point.x));
    const double y = scales.y(point.y);
    const std::string label = shortened(point.label, 44);
    const double width = kLetter * static_cast<double>(label.size());
    const Box places[] = {{x + 8, y - 6, x + 8 + width, y + 6},
                          {x - 8 - width, y - 6, x - 8, y + 6},
                          {x - width / 2, y - 8 - kLine, x + width / 2, y - 8},
                          {x - width / 2, y + 8, x + width / 2, y + 8 + kLine}};
    for (const Box& place : places) {
      const bool inside = place.left >= kChartArea.left && place.right <= kChartWidth - 4 &&
                          place.top >= kChartArea.top - 8 && place.bottom <= kChartArea.bottom;
      if (!inside || std::any_of(taken.begin(), taken.end(),
                                 [&](const Box& other) { return overlap(place, other); })) {
        continue;
      }
      taken.push_back(place);
      out += svg_text(place.left, place.bottom - 2, "start", label, " class=\"cx-small\"");
      break;
    }
  }
  return out;
}

}  // namespace

std::string scatter_svg(const Chart& chart) {
  std::vector<ChartPoint> points = chart.points;
  std::erase_if(points, [](const ChartPoint& point) {
    return !(point.x > 0) || !std::isfinite(point.x) || !std::isfinite(point.y);
  });
  // One's own first: labels go to whoever comes first.
  std::stable_sort(points.begin(), points.end(),
                   [](const ChartPoint& a, const ChartPoint& b) { return a.own && !b.own; });
  std::string svg = begin_svg(kChartWidth, kChartHeight, chart.title) +
                    svg_axes(chart.title, chart.x_label, chart.y_label);
  if (!points.empty()) {
    const Scales scales = fit(points);
    svg += x_ticks(scales.x) + y_ticks(chart, scales.y) + frontier(points, scales);
    for (auto at = points.rbegin(); at != points.rend(); ++at) {  // one's own above the others
      const ChartPoint& point = *at;
      const std::string value = chart.percent_y ? percent(point.y) : fixed(point.y, 4);
      svg += "<circle class=\"" + std::string(point.own ? "cx-own" : "cx-other") + "\" cx=\"" +
             fixed(scales.x(std::log10(point.x)), 1) + "\" cy=\"" + fixed(scales.y(point.y), 1) +
             "\" r=\"4.5\"><title>" + escape(point.label) + ": " + value + "</title></circle>\n";
    }
    svg += labels(points, scales);
  }
  return svg + "</svg>\n";
}

std::string reliability_svg(const std::vector<Bin>& bins, const std::string& title) {
  constexpr double kSide = 300;
  constexpr Box kPlot = {56, 36, 56 + kSide, 36 + kSide};
  std::string svg =
      begin_svg(400, 400, title) + svg_text(kPlot.left, 20, "start", title, " font-weight=\"600\"");
  for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    const double x = kPlot.left + tick * kSide;
    const double y = kPlot.bottom - tick * kSide;
    svg += svg_line(x, kPlot.top, x, kPlot.bottom, "cx-grid") +
           svg_line(kPlot.left, y, kPlot.right, y, "cx-grid") +
           svg_text(x, kPlot.bottom + 18, "middle", percent(tick, 0), " class=\"cx-small\"") +
           svg_text(kPlot.left - 6, y + 4, "end", percent(tick, 0), " class=\"cx-small\"");
  }
  const double width = kSide / static_cast<double>(std::max<size_t>(bins.size(), 1));
  for (size_t i = 0; i < bins.size(); ++i) {
    const Bin& bin = bins[i];
    if (bin.images == 0) continue;
    const double left = kPlot.left + width * static_cast<double>(i) + 1;
    const double height = kPlot.bottom - bin.accuracy * kSide;
    const double diagonal = kPlot.bottom - bin.confidence * kSide;
    svg += "<g><title>" + std::to_string(bin.images) + " images, confidence " +
           percent(bin.confidence, 1) + ", right " + percent(bin.accuracy, 1) + "</title>\n" +
           svg_rectangle({left, height, left + width - 2, kPlot.bottom}, "cx-own") +
           svg_rectangle(
               {left, std::min(height, diagonal), left + width - 2, std::max(height, diagonal)},
               "cx-gap") +
           "</g>\n";
  }
  svg += svg_line(kPlot.left, kPlot.bottom, kPlot.right, kPlot.top, "cx-axis");
  svg += svg_text((kPlot.left + kPlot.right) / 2, kPlot.bottom + 40, "middle",
                  "probability of the first guess");
  svg += svg_text(14, (kPlot.top + kPlot.bottom) / 2, "middle", "share that is right",
                  " transform=\"rotate(-90 14 " + fixed((kPlot.top + kPlot.bottom) / 2, 1) + ")\"");
  return svg + "</svg>\n";
}

}  // namespace clipnext::page

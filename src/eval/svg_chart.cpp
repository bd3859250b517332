#include "eval/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "eval/markup.h"

namespace clipnext::eval {
namespace {

struct Box {
  double left, top, right, bottom;
};

bool overlap(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

// The drawing area, in units of the view box.
constexpr double kWidth = 720, kHeight = 420;
constexpr Box kArea = {64, 40, 700, 364};

// Classes begin with `cx-`, so that a page's own rules and a chart's do not meet.
std::string begin_svg(double width, double height, const std::string& title) {
  return "<svg class=\"cx-chart\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 "
         "0 " +
         fixed(width, 0) + " " + fixed(height, 0) + "\">\n<title>" + escape(title) +
         "</title>\n<style>.cx-chart{background:#fff;color:#1b1f24;font:13px system-ui,sans-serif;"
         "max-width:100%;height:auto}.cx-chart text{fill:currentColor}.cx-axis{stroke:currentColor}"
         ".cx-grid{stroke:currentColor;opacity:.15}.cx-own{fill:#0b6bcb;stroke:#0b6bcb}"
         ".cx-other{fill:none;stroke:#8a5a00;stroke-width:1.5}"
         ".cx-line{fill:none;stroke:#0b6bcb;opacity:.5;stroke-width:1.5}"
         ".cx-gap{fill:#c2410c;opacity:.35}.cx-small{font-size:11px}"
         "@media (prefers-color-scheme:dark){.cx-chart{background:#15181c;color:#e6e8eb}"
         ".cx-own{fill:#6cb6ff;stroke:#6cb6ff}.cx-line{stroke:#6cb6ff}.cx-other{stroke:#e0b050}"
         ".cx-gap{fill:#ff9b66}}</style>\n";
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text,
                    const std::string& extra = "") {
  return "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" text-anchor=\"" + anchor +
         "\"" + extra + ">" + escape(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& kind) {
  return "<line class=\"" + kind + "\" x1=\"" + fixed(x1, 1) + "\" y1=\"" + fixed(y1, 1) +
         "\" x2=\"" + fixed(x2, 1) + "\" y2=\"" + fixed(y2, 1) + "\"/>\n";
}

std::string rectangle(const Box& box, const std::string& kind) {
  return "<rect class=\"" + kind + "\" x=\"" + fixed(box.left, 1) + "\" y=\"" + fixed(box.top, 1) +
         "\" width=\"" + fixed(box.right - box.left, 1) + "\" height=\"" +
         fixed(box.bottom - box.top, 1) + "\"/>\n";
}

std::string axes(const Chart& chart) {
  return line(kArea.left, kArea.bottom, kArea.right, kArea.bottom, "cx-axis") +
         line(kArea.left, kArea.top, kArea.left, kArea.bottom, "cx-axis") +
         text_at((kArea.left + kArea.right) / 2, kHeight - 14, "middle", chart.x_label) +
         text_at(16, (kArea.top + kArea.bottom) / 2, "middle", chart.y_label,
                 " transform=\"rotate(-90 16 " + fixed((kArea.top + kArea.bottom) / 2, 1) + ")\"") +
         text_at(kArea.left, 22, "start", chart.title, " font-weight=\"600\"");
}

// From values to the drawing area.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  double operator()(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

// 1, 2 or 5 times a power of ten, about a fifth of the range.
double round_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= range / 5 * 0.999) return factor * power;
  }
  return 10 * power;
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
  Scales scales{.x = {infinity, -infinity, kArea.left + 12, kArea.right - 12},
                .y = {infinity, -infinity, kArea.bottom - 12, kArea.top + 12}};
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
  const int digits = std::clamp(
      static_cast<int>(std::ceil(-std::log10(step * 1.001))) - (chart.percent_y ? 2 : 0), 0, 6);
  for (int i = 0; i <= 12; ++i) {
    const double value = (std::ceil(y.low / step) + i) * step;
    if (value > y.high) break;
    out += line(kArea.left, y(value), kArea.right, y(value), "cx-grid");
    out += text_at(kArea.left - 8, y(value) + 4, "end",
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
      out += line(x(at), kArea.top, x(at), kArea.bottom, "cx-grid");
      out += text_at(x(at), kArea.bottom + 20, "middle", short_number(std::pow(10, at)));
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
      const bool inside = place.left >= kArea.left && place.right <= kWidth - 4 &&
                          place.top >= kArea.top - 8 && place.bottom <= kArea.bottom;
      if (!inside || std::any_of(taken.begin(), taken.end(),
                                 [&](const Box& other) { return overlap(place, other); })) {
        continue;
      }
      taken.push_back(place);
      out += text_at(place.left, place.bottom - 2, "start", label, " class=\"cx-small\"");
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
  std::string svg = begin_svg(kWidth, kHeight, chart.title) + axes(chart);
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
      begin_svg(400, 400, title) + text_at(kPlot.left, 20, "start", title, " font-weight=\"600\"");
  for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    const double x = kPlot.left + tick * kSide;
    const double y = kPlot.bottom - tick * kSide;
    svg += line(x, kPlot.top, x, kPlot.bottom, "cx-grid") +
           line(kPlot.left, y, kPlot.right, y, "cx-grid") +
           text_at(x, kPlot.bottom + 18, "middle", percent(tick, 0), " class=\"cx-small\"") +
           text_at(kPlot.left - 6, y + 4, "end", percent(tick, 0), " class=\"cx-small\"");
  }
  const double width = kSide / static_cast<double>(std::max<size_t>(bins.size(), 1));
  for (size_t i = 0; i < bins.size(); ++i) {
    const Bin& bin = bins[i];
    if (bin.images == 0) continue;
    const double left = kPlot.left + width * static_cast<double>(i) + 1;
    const double height = kPlot.bottom - bin.accuracy * kSide;
    const double diagonal = kPlot.bottom - bin.confidence * kSide;
    svg +=
        "<g><title>" + std::to_string(bin.images) + " images, confidence " +
        percent(bin.confidence, 1) + ", right " + percent(bin.accuracy, 1) + "</title>\n" +
        rectangle({left, height, left + width - 2, kPlot.bottom}, "cx-own") +
        rectangle({left, std::min(height, diagonal), left + width - 2, std::max(height, diagonal)},
                  "cx-gap") +
        "</g>\n";
  }
  svg += line(kPlot.left, kPlot.bottom, kPlot.right, kPlot.top, "cx-axis");
  svg += text_at((kPlot.left + kPlot.right) / 2, kPlot.bottom + 40, "middle",
                 "probability of the first guess");
  svg += text_at(14, (kPlot.top + kPlot.bottom) / 2, "middle", "share that is right",
                 " transform=\"rotate(-90 14 " + fixed((kPlot.top + kPlot.bottom) / 2, 1) + ")\"");
  return svg + "</svg>\n";
}

}  // namespace clipnext::eval

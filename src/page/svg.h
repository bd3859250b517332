// The pieces that charts are drawn of, in SVG.
#pragma once

#include <string>

namespace clipnext::page {

struct Box {
  double left, top, right, bottom;
};

/// The size of a chart with two axes, in units of its view box, and where its curves are drawn.
inline constexpr double kChartWidth = 720, kChartHeight = 420;
inline constexpr Box kChartArea = {64, 40, 700, 364};

/// The beginning of a picture, with the colours of its classes. Those begin with `cx-`, so that a
/// page's own rules and a chart's do not meet.
std::string begin_svg(double width, double height, const std::string& title);

/// anchor: start, middle or end; extra: more attributes.
std::string svg_text(double x, double y, const std::string& anchor, const std::string& text,
                     const std::string& extra = "");
std::string svg_line(double x1, double y1, double x2, double y2, const std::string& kind);
std::string svg_rectangle(const Box& box, const std::string& kind);
/// The two axes of kChartArea with their labels, and the title.
std::string svg_axes(const std::string& title, const std::string& x_label,
                     const std::string& y_label);

/// From values to the drawing area.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  double operator()(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

/// 1, 2 or 5 times a power of ten, about a fifth of the range.
double round_step(double range);
/// Digits after the point that tell multiples of `step` apart.
int step_digits(double step);

}  // namespace clipnext::page

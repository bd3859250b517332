// Curves over a common x axis, as SVG.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace clipnext::page {

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x, y; by x
};

struct LineChart {
  std::string title, x_label, y_label;
  bool log_y = false;  // points whose y is not positive are left out
  std::vector<Curve> curves = {};
};

/// Each curve in a colour of its own, named beside its end. Points that are not finite break no
/// curve: they are left out. A curve of more than a thousand points is drawn by the least and the
/// largest of each of five hundred stretches, so that no outlier goes missing.
std::string line_svg(const LineChart& chart);

}  // namespace clipnext::page

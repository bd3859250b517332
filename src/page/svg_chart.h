// Charts as SVG: of themselves whole files, that follow the reader's light or dark colours, and fit
// to stand within a page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clipnext::page {

struct ChartPoint {
  double x = 0, y = 0;
  std::string label;
  bool own = true;  // drawn solid; else hollow, for comparison
};

struct Chart {
  std::string title, x_label, y_label;
  bool percent_y = true;  // y are fractions
  std::vector<ChartPoint> points = {};
};

/// Points over a logarithmic x axis, with a line through those that no other one beats in both
/// (less x, more y). Points that are not finite or whose x is not positive are left out.
std::string scatter_svg(const Chart& chart);

struct Bin {
  int64_t images = 0;
  double confidence = 0;  // mean probability of the first guess
  double accuracy = 0;    // share of first guesses that are right
};

/// Accuracy over confidence, in bins of equal width, with the share of images in each.
std::string reliability_svg(const std::vector<Bin>& bins, const std::string& title);

}  // namespace clipnext::page

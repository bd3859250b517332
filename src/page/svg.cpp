#include "page/svg.h"

#include <algorithm>
#include <cmath>

#include "page/markup.h"

namespace clipnext::page {

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

std::string svg_text(double x, double y, const std::string& anchor, const std::string& text,
                     const std::string& extra) {
  return "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" text-anchor=\"" + anchor +
         "\"" + extra + ">" + escape(text) + "</text>\n";
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& kind) {
  return "<line class=\"" + kind + "\" x1=\"" + fixed(x1, 1) + "\" y1=\"" + fixed(y1, 1) +
         "\" x2=\"" + fixed(x2, 1) + "\" y2=\"" + fixed(y2, 1) + "\"/>\n";
}

std::string svg_rectangle(const Box& box, const std::string& kind) {
  return "<rect class=\"" + kind + "\" x=\"" + fixed(box.left, 1) + "\" y=\"" + fixed(box.top, 1) +
         "\" width=\"" + fixed(box.right - box.left, 1) + "\" height=\"" +
         fixed(box.bottom - box.top, 1) + "\"/>\n";
}

std::string svg_axes(const std::string& title, const std::string& x_label,
                     const std::string& y_label) {
  constexpr Box area = kChartArea;
  const double middle = (area.top + area.bottom) / 2;
  return svg_line(area.left, area.bottom, area.right, area.bottom, "cx-axis") +
         svg_line(area.left, area.top, area.left, area.bottom, "cx-axis") +
         svg_text((area.left + area.right) / 2, kChartHeight - 14, "middle", x_label) +
         svg_text(16, middle, "middle", y_label,
                  " transform=\"rotate(-90 16 " + fixed(middle, 1) + ")\"") +
         svg_text(area.left, 22, "start", title, " font-weight=\"600\"");
}

double round_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= range / 5 * 0.999) return factor * power;
  }
  return 10 * power;
}

int step_digits(double step) {
  return std::clamp(static_cast<int>(std::ceil(-std::log10(step * 1.001))), 0, 8);
}

}  // namespace clipnext::page

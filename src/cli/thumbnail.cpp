#include "cli/thumbnail.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "cli/common.h"
#include "image/convert.h"
#include "image/resize.h"

namespace clipnext::cli {
namespace {

// The SGR code that sets the foreground (38) or background (48) to a pixel.
std::string colour(int layer, const uint8_t* rgb) {
  return format("\033[%d;2;%d;%d;%dm", layer, rgb[0], rgb[1], rgb[2]);
}

}  // namespace

bool terminal_shows_pictures() {
  const char* kind = std::getenv("COLORTERM");
  if (kind == nullptr || std::getenv("NO_COLOR") != nullptr) return false;
  const std::string_view name = kind;
  return isatty(STDOUT_FILENO) != 0 && (name == "truecolor" || name == "24bit");
}

std::vector<std::string> thumbnail(const image::Image& picture, int columns, int rows) {
  const image::Image rgb = image::to_rgb(picture);
  const double scale = std::min(static_cast<double>(columns) / rgb.width,
                                static_cast<double>(2 * rows) / rgb.height);
  const int width = std::clamp(static_cast<int>(rgb.width * scale), 1, columns);
  const int height = std::clamp(static_cast<int>(rgb.height * scale), 1, 2 * rows);
  const image::Image small = image::resize(rgb, width, height, image::Filter::kBicubic);
  const auto pixel = [&](int y, int x) {
    return small.data.data() +
           (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) * 3;
  };

  std::vector<std::string> lines;
  for (int y = 0; y < height; y += 2) {
    std::string line;
    for (int x = 0; x < width; ++x) {
      line += colour(38, pixel(y, x));
      if (y + 1 < height) line += colour(48, pixel(y + 1, x));
      line += "▀";
    }
    lines.push_back(line + "\033[0m" + std::string(static_cast<size_t>(columns - width), ' '));
  }
  return lines;
}

std::string beside(const std::vector<std::string>& picture, int columns,
                   const std::vector<std::string>& text) {
  std::string out;
  for (size_t i = 0; i < std::max(picture.size(), text.size()); ++i) {
    out += i < picture.size() ? picture[i] : std::string(static_cast<size_t>(columns), ' ');
    if (i < text.size()) out += "  " + text[i];
    out += "\n";
  }
  return out;
}

}  // namespace clipnext::cli

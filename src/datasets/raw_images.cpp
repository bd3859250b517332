// Pictures that data sets hold as arrays become small PGM and PPM files in memory.
#include <memory>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "datasets/forms.h"

namespace clipnext::datasets {

pipeline::ImageSource raw_image(std::string name, int64_t width, int64_t height,
                                std::string_view pixels) {
  const int64_t count = checked_mul(width, height, "picture");
  const bool grey = static_cast<int64_t>(pixels.size()) == count;
  require(grey || static_cast<int64_t>(pixels.size()) == checked_mul(count, 3, "picture"), name,
          ": ", pixels.size(), " bytes for ", width, "x", height, " pixels");
  std::string file =
      (grey ? "P5 " : "P6 ") + std::to_string(width) + " " + std::to_string(height) + " 255\n";
  file += pixels;
  return {.name = std::move(name), .bytes = std::make_shared<const std::string>(std::move(file))};
}

std::string interleave_planes(std::string_view planes, int64_t pixels) {
  const auto count = static_cast<size_t>(pixels);
  std::string rgb(3 * count, '\0');
  for (size_t i = 0; i < count; ++i) {
    for (size_t channel = 0; channel < 3; ++channel) {
      rgb[3 * i + channel] = planes[channel * count + i];
    }
  }
  return rgb;
}

}  // namespace clipnext::datasets

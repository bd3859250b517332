#include "image/random_crop.h"

#include <algorithm>
#include <cmath>

#include "image/round_even.h"

namespace clipnext::image {

namespace {

Region centred(int width, int height, int64_t part_width, int64_t part_height) {
  return {{(width - part_width) / 2, part_width}, {(height - part_height) / 2, part_height}};
}

/// All of the picture, less what makes it too flat or too tall.
Region largest(int width, int height, const std::array<double, 2>& ratio) {
  const double own = static_cast<double>(width) / height;
  if (own < ratio[0]) {
    return centred(width, height, width, std::max<int64_t>(round_even(width / ratio[0]), 1));
  }
  if (own > ratio[1]) {
    return centred(width, height, std::max<int64_t>(round_even(height * ratio[1]), 1), height);
  }
  return centred(width, height, width, height);
}

}  // namespace

Region draw_crop(int width, int height, const std::array<double, 2>& scale,
                 const std::array<double, 2>& ratio, RandomStream& random) {
  constexpr int kAttempts = 10;
  const double area = static_cast<double>(width) * height;
  const double low = std::log(ratio[0]);
  const double high = std::log(ratio[1]);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double part = area * random.uniform(scale[0], scale[1]);
    const double aspect = std::exp(random.uniform(low, high));
    const int64_t w = round_even(std::sqrt(part * aspect));
    const int64_t h = round_even(std::sqrt(part / aspect));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    const int64_t top = random.below(height - h + 1);
    const int64_t left = random.below(width - w + 1);
    return {{left, w}, {top, h}};
  }
  return largest(width, height, ratio);
}

}  // namespace clipnext::image

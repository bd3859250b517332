// Changes of colour as torchvision makes them on Pillow images, byte for byte; and their chances.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "image/image.h"

namespace clipnext::image {

/// What one picture is changed by. Factors of 1 (hue: 0) change nothing.
struct ColorJitter {
  enum Operation : uint8_t { kBrightness, kContrast, kSaturation, kHue };
  std::array<Operation, 4> order = {kBrightness, kContrast, kSaturation, kHue};
  std::array<std::optional<double>, 4> factors;  // by Operation; nothing: not done at all
};

/// torchvision's ColorJitter(*limits): the order uniform, factors uniform in 1 -+ limit (not below
/// 0), hue in -+ limit; a limit of 0 leaves its operation out.
ColorJitter draw_color_jitter(const std::array<double, 4>& limits, RandomStream& random);

/// All of a jitter, in its order. rgb is RGB8, as for the others below.
void apply(const ColorJitter& jitter, Image& rgb);

/// Pillow's ImageEnhance.Brightness, Contrast and Color; factor >= 0.
void adjust_brightness(Image& rgb, double factor);
void adjust_contrast(Image& rgb, double factor);
void adjust_saturation(Image& rgb, double factor);

/// torchvision's adjust_hue: through Pillow's HSV of a byte each; turns in [-0.5, 0.5].
void adjust_hue(Image& rgb, double turns);

/// torchvision's Grayscale(3): Pillow's L in all three channels.
void to_grey(Image& rgb);

}  // namespace clipnext::image

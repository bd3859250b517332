// Pillow's arithmetic for blending, luma and HSV (src/libImaging/Blend.c, Convert.c).
#include "image/color_jitter.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace clipnext::image {

namespace {

using ByteMap = std::array<uint8_t, 256>;

/// Image.blend(from, to, alpha) of one sample: float32, cut towards zero.
uint8_t blend(int from, int to, float alpha) {
  const float value = static_cast<float>(from) + alpha * static_cast<float>(to - from);
  return static_cast<uint8_t>(value <= 0.0f ? 0.0f : value >= 255.0f ? 255.0f : value);
}

void blend_from(int from, float alpha, Image& image) {
  ByteMap map{};
  for (int value = 0; value < 256; ++value) {
    map[static_cast<size_t>(value)] = blend(from, value, alpha);
  }
  for (uint8_t& value : image.data) value = map[value];
}

/// Calls pixel(p) for the three samples of each.
template <class F>
void for_pixels(Image& rgb, const F& pixel) {
  for (size_t i = 0; i < rgb.data.size(); i += 3) pixel(&rgb.data[i]);
}

/// ITU-R 601 with 16 fraction bits.
uint8_t luma(const uint8_t* p) {
  return static_cast<uint8_t>((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16);
}

uint8_t clip(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

/// Hue and saturation of a byte each; the third of HSV is the largest sample.
struct Hue {
  uint8_t hue = 0;
  uint8_t saturation = 0;
};

Hue hue_of(int r, int g, int b) {
  const int most = std::max(r, std::max(g, b));
  const int range = most - std::min(r, std::min(g, b));
  if (range == 0) return {};
  const auto span = static_cast<float>(range);
  const float red = static_cast<float>(most - r) / span;
  const float green = static_cast<float>(most - g) / span;
  const float blue = static_cast<float>(most - b) / span;
  float sixths = 0;
  if (r == most) {
    sixths = blue - green;
  } else if (g == most) {
    sixths = static_cast<float>(2.0 + red - blue);
  } else {
    sixths = static_cast<float>(4.0 + green - red);
  }
  double turns = sixths / 6.0 + 1.0;  // 5/6 .. 11/6
  if (turns >= 1.0) turns -= 1.0;     // exact, as fmod(turns, 1) is
  const float hue = static_cast<float>(turns);
  const float saturation = span / static_cast<float>(most);
  return {clip(static_cast<int>(hue * 255.0)), clip(static_cast<int>(saturation * 255.0))};
}

uint8_t rounded(double value) { return clip(static_cast<int>(std::round(value))); }

/// What the hue decides: the sixth of the circle, and how far into it.
struct Sixth {
  int index = 0;
  float part = 0;
};

std::array<Sixth, 256> sixths() {
  std::array<Sixth, 256> table{};
  for (size_t hue = 0; hue < table.size(); ++hue) {
    const double at = static_cast<float>(hue) * 6.0 / 255.0;
    const int index = static_cast<int>(std::floor(at));
    table[hue] = {index % 6, static_cast<float>(at - static_cast<double>(index))};
  }
  return table;
}

void store(uint8_t r, uint8_t g, uint8_t b, uint8_t* out) {
  out[0] = r;
  out[1] = g;
  out[2] = b;
}

void from_hsv(const Sixth& sixth, uint8_t saturation, uint8_t value, uint8_t* out) {
  if (saturation == 0) return store(value, value, value, out);
  const auto v = static_cast<float>(value);
  const auto s = static_cast<float>(static_cast<float>(saturation) / 255.0);
  const uint8_t low = rounded(v * (1.0 - s));
  const uint8_t falling = rounded(v * (1.0 - s * sixth.part));
  const uint8_t rising = rounded(v * (1.0 - s * (1.0 - sixth.part)));
  switch (sixth.index) {
    case 0:
      return store(value, rising, low, out);
    case 1:
      return store(falling, value, low, out);
    case 2:
      return store(low, value, rising, out);
    case 3:
      return store(low, falling, value, out);
    case 4:
      return store(rising, low, value, out);
    default:
      return store(value, low, falling, out);
  }
}

}  // namespace

ColorJitter draw_color_jitter(const std::array<double, 4>& limits, RandomStream& random) {
  ColorJitter jitter;
  for (size_t i = jitter.order.size() - 1; i > 0; --i) {
    const auto other = static_cast<size_t>(random.below(static_cast<int64_t>(i) + 1));
    std::swap(jitter.order[i], jitter.order[other]);
  }
  for (size_t i = 0; i < limits.size(); ++i) {
    const double centre = i == ColorJitter::kHue ? 0.0 : 1.0;
    double low = centre - limits[i];
    if (i != ColorJitter::kHue) low = std::max(low, 0.0);
    if (limits[i] > 0) jitter.factors[i] = random.uniform(low, centre + limits[i]);
  }
  return jitter;
}

void apply(const ColorJitter& jitter, Image& rgb) {
  constexpr std::array kOperations = {adjust_brightness, adjust_contrast, adjust_saturation,
                                      adjust_hue};
  for (const ColorJitter::Operation operation : jitter.order) {
    if (const auto factor = jitter.factors[operation]) kOperations[operation](rgb, *factor);
  }
}

void adjust_brightness(Image& rgb, double factor) {
  blend_from(0, static_cast<float>(factor), rgb);
}

void adjust_contrast(Image& rgb, double factor) {
  int64_t sum = 0;
  for_pixels(rgb, [&](const uint8_t* p) { sum += luma(p); });
  const size_t pixels = rgb.data.size() / 3;
  const double mean = static_cast<double>(sum) / static_cast<double>(pixels);
  blend_from(static_cast<int>(std::floor(mean + 0.5)), static_cast<float>(factor), rgb);
}

void adjust_saturation(Image& rgb, double factor) {
  const auto alpha = static_cast<float>(factor);
  for_pixels(rgb, [&](uint8_t* p) {
    const int grey = luma(p);
    for (int c = 0; c < 3; ++c) p[c] = blend(grey, p[c], alpha);
  });
}

void adjust_hue(Image& rgb, double turns) {
  // Added with wrap-around, so that a byte's 255 is a whole turn and 256 as well.
  const auto shift = static_cast<uint8_t>(static_cast<int32_t>(turns * 255));
  static const std::array<Sixth, 256> kSixths = sixths();
  for_pixels(rgb, [&](uint8_t* p) {
    const Hue hue = hue_of(p[0], p[1], p[2]);
    const uint8_t value = std::max(p[0], std::max(p[1], p[2]));
    from_hsv(kSixths[static_cast<uint8_t>(hue.hue + shift)], hue.saturation, value, p);
  });
}

void to_grey(Image& rgb) {
  for_pixels(rgb, [](uint8_t* p) { p[0] = p[1] = p[2] = luma(p); });
}

}  // namespace clipnext::image

#include "image/random_erasing.h"

#include <cmath>
#include <numbers>
#include <optional>

#include "image/round_even.h"

namespace clipnext::image {

namespace {

std::optional<Region> draw_box(int width, int height, int64_t boxes, RandomStream& random) {
  constexpr int kAttempts = 10;
  const double area = static_cast<double>(width) * height;
  const double low = std::log(0.3);
  const double high = std::log(1 / 0.3);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double part = random.uniform(0.02, 1.0 / 3) * area / static_cast<double>(boxes);
    const double aspect = std::exp(random.uniform(low, high));
    const int64_t h = round_even(std::sqrt(part * aspect));
    const int64_t w = round_even(std::sqrt(part / aspect));
    if (w >= width || h >= height) continue;
    const int64_t top = random.below(height - h + 1);
    const int64_t left = random.below(width - w + 1);
    return Region{{left, w}, {top, h}};
  }
  return std::nullopt;
}

/// Box and Muller, both numbers of each pair; in float32, since it is a third of a large picture.
void fill_normal(RandomStream& random, float* out, int64_t size) {
  constexpr float kTurn = 2 * std::numbers::pi_v<float>;
  for (int64_t i = 0; i < size; i += 2) {
    const uint64_t bits = random.bits();
    const float share = static_cast<float>((bits >> 40) + 1) * 0x1p-24f;  // (0, 1]
    const float angle = kTurn * (static_cast<float>(bits >> 16 & 0xFFFFFF) * 0x1p-24f);
    const float radius = std::sqrt(-2.0f * std::log(share));
    out[i] = radius * std::cos(angle);
    if (i + 1 < size) out[i + 1] = radius * std::sin(angle);
  }
}

}  // namespace

std::vector<Region> draw_erasing(int width, int height, double probability, int count,
                                 RandomStream& random) {
  std::vector<Region> boxes;
  if (random.unit() >= probability) return boxes;
  const int64_t wanted = 1 + random.below(count);
  for (int64_t i = 0; i < wanted; ++i) {
    if (const auto box = draw_box(width, height, wanted, random)) boxes.push_back(*box);
  }
  return boxes;
}

void erase(const Region& box, int width, RandomStream& random, float* values) {
  for (int64_t y = box.rows.begin; y < box.rows.begin + box.rows.size; ++y) {
    fill_normal(random, values + 3 * (y * width + box.columns.begin), 3 * box.columns.size);
  }
}

}  // namespace clipnext::image

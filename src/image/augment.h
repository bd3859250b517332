// The training transform: a random part of a picture, changed at random, as open_clip's two paths do.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "image/image.h"
#include "image/preprocess.h"

namespace clipnext::image {

/// Which filter a crop is resized with: the model's own, or bilinear or bicubic by chance.
enum class CropFilter : uint8_t { kModel, kRandom };

/// open_clip's AugmentationCfg (`--aug-cfg`); defaults as there.
struct AugmentConfig {
  std::array<double, 2> scale = {0.9, 1.0};        // share of the area
  std::array<double, 2> ratio = {3.0 / 4, 4.0 / 3};  // width over height
  /// Largest change of brightness, contrast, saturation (factors around 1) and hue (turns).
  std::optional<std::array<double, 4>> color_jitter = std::nullopt;
  double color_jitter_prob = 1.0;  // timm's path has none and always applies it
  double gray_scale_prob = 0.0;
  double re_prob = 0.0;  // random erasing, timm's path only
  int re_count = 1;
  bool use_timm = false;
  CropFilter filter = CropFilter::kModel;

  bool operator==(const AugmentConfig&) const = default;
};

/// A decoded picture of any mode to the model's input: out [h, w, 3] float32, normalised; h and w
/// are preprocess's. Draws from `random` only. spec: training.md 3.4; torchvision's
/// RandomResizedCrop, ColorJitter and Grayscale on Pillow images, timm's RandomErasing.
void augment(const Image& source, const PreprocessConfig& preprocess, const AugmentConfig& config,
             RandomStream& random, float* out);

}  // namespace clipnext::image

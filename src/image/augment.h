// The training transform: a random part of a picture, changed at random, as open_clip's two paths
// do.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "image/image.h"
#include "image/preprocess.h"

namespace clipnext::image {

/// Which filter timm's path resizes a crop with: the model's own, or bilinear or bicubic by chance.
enum class CropFilter : uint8_t { kModel, kRandom };

/// open_clip's AugmentationCfg (`--aug-cfg`); defaults as there. What one path leaves out is
/// marked; there it changes nothing.
struct AugmentConfig {
  std::array<double, 2> scale = {0.9, 1.0};  // share of the area
  /// Width over height. timm's path only: the other's is 3/4 to 4/3.
  std::array<double, 2> ratio = {3.0 / 4, 4.0 / 3};
  /// Largest change of brightness, contrast, saturation (factors around 1) and hue (turns).
  std::optional<std::array<double, 4>> color_jitter = std::nullopt;
  double color_jitter_prob = 0.0;  // not timm's path, which always applies color_jitter
  double gray_scale_prob = 0.0;    // not timm's path
  double re_prob = 0.0;            // random erasing; timm's path only
  int re_count = 1;                // boxes at most
  bool use_timm = false;
  /// timm's path only: the other's filter is always bicubic.
  CropFilter filter = CropFilter::kModel;

  bool operator==(const AugmentConfig&) const = default;
};

/// Throws Error naming the first member that is no probability or no range, and the path's own
/// demand: a color_jitter_prob needs a color_jitter.
void check(const AugmentConfig& config);

/// A decoded picture of any mode to the model's input: out [h, w, 3] float32, normalised; h and w
/// are preprocess's. Draws from `random` only. spec: training.md 3.4; torchvision's
/// RandomResizedCrop, ColorJitter and Grayscale on Pillow images, timm's RandomErasing; but a
/// picture of another mode becomes RGB first, as the reference's webdataset reader has it. Throws
/// Error if the picture is empty or a side of the input is 0 or above 65535.
void augment(const Image& source, const PreprocessConfig& preprocess, const AugmentConfig& config,
             RandomStream& random, float* out);

/// ToTensor and Normalize without moving anything: RGB8 [h, w, 3] to out [h, w, 3], the values of
/// to_tensor().
void normalize(const Image& pixels, const PreprocessConfig& config, float* out);

}  // namespace clipnext::image

// The evaluation transform: any image to what the model sees.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "image/image.h"
#include "image/resize.h"

namespace clipnext::image {

enum class ResizeMode : uint8_t { kShortest, kLongest, kSquash };

/// open_clip's PreprocessCfg; defaults as there.
struct PreprocessConfig {
  int height = 224;
  int width = 224;
  std::array<float, 3> mean = {0.48145466f, 0.4578275f, 0.40821073f};
  std::array<float, 3> std = {0.26862954f, 0.26130258f, 0.27577711f};
  Filter interpolation = Filter::kBicubic;
  ResizeMode resize_mode = ResizeMode::kShortest;
  int fill_color = 0;

  bool operator==(const PreprocessConfig&) const = default;
};

/// Resize, centre crop or pad in the image's mode, then RGB: the direct-transform path of the
/// reference. Give to_rgb(image) for the data-set path (spec: evaluation transform). Returns RGB8
/// [config.height, config.width, 3].
Image preprocess(const Image& source, const PreprocessConfig& config);

/// ToTensor and Normalize, bit for bit: pixels [h, w, 3] to out [3, h, w].
void to_tensor(const Image& pixels, const PreprocessConfig& config, float* out);

/// value[c][u8]: the normalised float32 of every byte, (u8 / 255 - mean) / std, each step rounded.
std::array<std::array<float, 256>, 3> normalization_table(const PreprocessConfig& config);

}  // namespace clipnext::image

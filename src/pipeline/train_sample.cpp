#include "pipeline/train_sample.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/error.h"
#include "image/convert.h"
#include "image/decode.h"
#include "image/preprocess.h"

namespace clipnext::pipeline {
namespace {

image::Image decode_picture(const data::RawSample& sample, const TrainLoaderConfig& config) {
  if (sample.image.empty()) {
    return image::make_image(image::Mode::kRgb, config.preprocess.width, config.preprocess.height);
  }
  image::DecodeLimits limits;
  if (config.max_image_pixels > 0) {
    limits.max_pixels = std::min(limits.max_pixels, config.max_image_pixels);
  }
  const std::span bytes(reinterpret_cast<const uint8_t*>(sample.image.data()), sample.image.size());
  return image::decode(bytes, "image", limits);
}

}  // namespace

std::vector<int32_t> prepare_sample(const data::RawSample& sample, const TrainLoaderConfig& config,
                                    const text::Tokenizer& tokenizer, RandomStream random,
                                    float* pixels) {
  // The caption first: it is the cheaper one to find bad.
  std::vector<int32_t> tokens = tokenizer.tokenize(sample.caption, config.context_length);
  const image::Image picture = decode_picture(sample, config);
  if (config.augment) {
    image::augment(picture, config.preprocess, *config.augment, random, pixels);
  } else {
    // RGB first, as the reference's reader has it.
    const image::Image seen = picture.mode == image::Mode::kRgb
                                  ? image::preprocess(picture, config.preprocess)
                                  : image::preprocess(image::to_rgb(picture), config.preprocess);
    image::normalize(seen, config.preprocess, pixels);
  }
  return tokens;
}

}  // namespace clipnext::pipeline

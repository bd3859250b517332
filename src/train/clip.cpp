#include "train/clip.h"

#include <variant>

#include "base/error.h"
#include "train/convnext.h"
#include "train/resnet.h"
#include "train/text.h"
#include "train/vit.h"

namespace clipnext::train {
namespace {

constexpr int64_t kSmallestSide = 32;

void check_size(const model::ClipConfig& config, const at::Tensor& pixels) {
  require(pixels.dim() == 4 && pixels.size(3) == 3, "pixels are [n, h, w, 3], found ", pixels.dim(),
          " dimensions, the last of ", pixels.size(-1));
  const int64_t h = pixels.size(1);
  const int64_t w = pixels.size(2);
  if (std::holds_alternative<model::ConvNextConfig>(config.vision)) {
    require(h >= kSmallestSide && w >= kSmallestSide, "picture of ", w, "x", h,
            ": a ConvNeXt needs at least ", kSmallestSide, "x", kSmallestSide);
  } else {
    require(h == config.image_height && w == config.image_width, "picture of ", w, "x", h,
            ": this model takes ", config.image_width, "x", config.image_height, " only");
  }
}

/// In the type of the first convolution, unless autocast sees to it.
at::Tensor as_input(const at::Tensor& pixels, const at::Tensor& weight, const Mode& mode) {
  return mode.autocast ? pixels : pixels.to(weight.scalar_type());
}

}  // namespace

at::Tensor encode_image(const Params& params, const model::ClipConfig& config,
                        const at::Tensor& pixels, const Mode& mode) {
  check_size(config, pixels);
  const Autocast autocast(pixels.device(), mode.autocast);
  if (const auto* convnext = std::get_if<model::ConvNextParams<at::Tensor>>(&params.vision)) {
    return encode_convnext(std::get<model::ConvNextConfig>(config.vision), *convnext,
                           as_input(pixels, convnext->stem0_weight, mode), mode);
  }
  if (const auto* vit = std::get_if<model::VitParams<at::Tensor>>(&params.vision)) {
    return encode_vit(std::get<model::VitConfig>(config.vision), *vit,
                      as_input(pixels, vit->conv1_weight, mode), mode);
  }
  const auto& resnet = std::get<model::ResNetParams<at::Tensor>>(params.vision);
  return encode_resnet(std::get<model::ResNetConfig>(config.vision), resnet,
                       as_input(pixels, resnet.stem[0].weight, mode), mode);
}

at::Tensor encode_text(const Params& params, const model::ClipConfig& config,
                       const model::TokenRows& tokens, const Mode& mode) {
  const Autocast autocast(device_of(params), mode.autocast);
  return encode_text(config.text, params.text, tokens, mode);
}

at::Tensor normalise(const at::Tensor& features) {
  constexpr double kSmallest = 1e-12;
  return features / at::linalg_vector_norm(features, 2.0, {-1}, true).clamp_min(kSmallest);
}

UnitFeatures unit_features(const Params& params, const model::ClipConfig& config,
                           const at::Tensor& pixels, const model::TokenRows& tokens,
                           const Mode& mode) {
  const at::Tensor image = encode_image(params, config, pixels, mode);
  const at::Tensor text = encode_text(params, config, tokens, mode);
  const Autocast autocast(pixels.device(), mode.autocast);
  return {normalise(image), normalise(text)};
}

at::Device device_of(const Params& params) { return params.logit_scale.device(); }

}  // namespace clipnext::train

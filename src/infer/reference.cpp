#include "infer/reference.h"

#include <utility>

#include "infer/reference_ops.h"
#include "model/bind.h"

namespace clipnext::infer {

using reference::Doubles;
using reference::Map;

Reference::Reference(const model::ClipConfig& config, const weights::TensorMap& tensors,
                     ThreadPool& pool, const std::string& source)
    : config_(config), params_(model::bind_tensors(config, tensors, source)), pool_(pool) {}

std::vector<double> Reference::embed_image(const uint8_t* pixels, int64_t h, int64_t w) const {
  const Map input = reference::normalize_pixels(config_.preprocess, pixels, h, w);
  if (const auto* convnext = std::get_if<model::ConvNextConfig>(&config_.vision)) {
    const auto& params = std::get<model::ConvNextParams<weights::Tensor>>(params_.vision);
    return reference::embed_convnext(pool_, *convnext, params, input).values;
  }
  if (const auto* vit = std::get_if<model::VitConfig>(&config_.vision)) {
    const auto& params = std::get<model::VitParams<weights::Tensor>>(params_.vision);
    return reference::embed_vit(pool_, *vit, params, input).values;
  }
  const auto& resnet = std::get<model::ResNetConfig>(config_.vision);
  const auto& params = std::get<model::ResNetParams<weights::Tensor>>(params_.vision);
  return reference::embed_resnet(pool_, resnet, params, input).values;
}

std::vector<double> Reference::embed_text(std::span<const int32_t> ids) const {
  const auto& p = params_.text;
  const int64_t w = config_.text.width;
  const std::vector<float> table = weights::to_f32(p.token_embedding);
  const std::vector<float> positions = weights::to_f32(p.positional_embedding);
  Map x{static_cast<int64_t>(ids.size()), 1, w, {}};
  for (size_t t = 0; t < ids.size(); ++t) {
    for (int64_t i = 0; i < w; ++i) {
      x.values.push_back(double{table[static_cast<size_t>(ids[t] * w + i)]} +
                         double{positions[t * static_cast<size_t>(w) + static_cast<size_t>(i)]});
    }
  }
  reference::transform(pool_, x, p.blocks, config_.text.heads, config_.text.activation, true);
  const Map last{1, 1, w, Doubles(x.values.end() - w, x.values.end())};
  const Map pooled = reference::layer_norm(last, p.ln_final, 1e-5);
  if (config_.text.projection_bias) {
    return reference::linear(pool_, pooled, p.projection, p.projection_bias).values;
  }
  return reference::multiply(pool_, pooled, p.projection).values;
}

}  // namespace clipnext::infer

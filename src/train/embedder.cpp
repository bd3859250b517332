#include "train/embedder.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace clipnext::train {
namespace {

constexpr int64_t kGroup = 64;  // pictures or texts at a time, to bound memory

}  // namespace

Clip::Clip(const model::ClipConfig& config, const Params& params,
           std::optional<at::ScalarType> autocast)
    : config_(config), params_(params), mode_{.autocast = autocast} {
  const auto& preprocess = config.preprocess;
  const auto device = device_of(params);
  mean_ = at::tensor(at::ArrayRef<float>(preprocess.mean.data(), 3), at::kFloat).to(device);
  std_ = at::tensor(at::ArrayRef<float>(preprocess.std.data(), 3), at::kFloat).to(device);
}

float Clip::logit_scale() const {
  return std::exp(params_.logit_scale.detach().to(at::kFloat).item<float>());
}

float Clip::logit_bias() const {
  if (!params_.logit_bias.defined()) return 0;
  return params_.logit_bias.detach().to(at::kFloat).item<float>();
}

void Clip::embed_images(const model::PixelBatch& pixels, float* out, bool normalize) {
  const std::lock_guard lock(mutex_);
  const at::NoGradGuard guard;
  const int64_t picture = pixels.h * pixels.w * 3;
  for (int64_t i = 0; i < pixels.n; i += kGroup) {
    const int64_t n = std::min(kGroup, pixels.n - i);
    at::Tensor bytes = at::empty({n, pixels.h, pixels.w, 3}, at::kByte);
    std::memcpy(bytes.data_ptr(), pixels.pixels + i * picture, static_cast<size_t>(n * picture));
    const at::Tensor x = (bytes.to(mean_.device()).to(at::kFloat) / 255 - mean_) / std_;
    finish(encode_image(params_, config_, x, mode_), out + i * config_.embed_dim, normalize);
  }
}

void Clip::embed_texts(const model::TokenRows& tokens, float* out, bool normalize) {
  const std::lock_guard lock(mutex_);
  const at::NoGradGuard guard;
  for (int64_t i = 0; i < tokens.size(); i += kGroup) {
    model::TokenRows group;
    for (int64_t j = i; j < std::min(i + kGroup, tokens.size()); ++j) group.add(tokens.row(j));
    finish(encode_text(params_, config_, group, mode_), out + i * config_.embed_dim, normalize);
  }
}

void Clip::finish(const at::Tensor& features, float* out, bool normalize) const {
  at::Tensor x = features.to(at::kFloat);
  if (normalize) x = normalise(x);
  x = x.to(at::kCPU).contiguous();
  require(x.isfinite().all().item<bool>(), "the model '", config_.name,
          "' gives values that are not finite; are its weights damaged, or has training diverged?");
  std::memcpy(out, x.const_data_ptr<float>(), static_cast<size_t>(x.numel()) * sizeof(float));
}

}  // namespace clipnext::train

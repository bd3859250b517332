#include "train/embedder.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/content_hash.h"
#include "base/error.h"
#include "model/synthetic.h"
#include "train/device.h"

namespace clipnext::train {
namespace {

// Pictures or texts at a time, to bound memory: times batch_factor, the most that pipeline/ gives
// at once.
constexpr int64_t kGroup = 64;
// Of a GPU: 81 pictures of 320 x 320 at once, 512 texts.
constexpr int64_t kGpuBatchFactor = 8;

}  // namespace

Clip::Clip(const model::ClipConfig& config, std::shared_ptr<const Params> params,
           std::optional<at::ScalarType> autocast)
    : config_(config), params_(std::move(params)), mode_{.autocast = autocast} {
  const auto& preprocess = config.preprocess;
  const auto device = device_of(*params_);
  mean_ = at::tensor(at::ArrayRef<float>(preprocess.mean.data(), 3), at::kFloat).to(device);
  std_ = at::tensor(at::ArrayRef<float>(preprocess.std.data(), 3), at::kFloat).to(device);
}

Clip::Clip(const model::ClipConfig& config, const Params& params,
           std::optional<at::ScalarType> autocast)
    : Clip(config, std::shared_ptr<const Params>(std::shared_ptr<const Params>(), &params),
           autocast) {}

float Clip::logit_scale() const {
  return std::exp(params_->logit_scale.detach().to(at::kFloat).item<float>());
}

float Clip::logit_bias() const {
  if (!params_->logit_bias.defined()) return 0;
  return params_->logit_bias.detach().to(at::kFloat).item<float>();
}

int64_t Clip::batch_factor() const { return device().is_cpu() ? 1 : kGpuBatchFactor; }

void Clip::embed_images(const model::PixelBatch& pixels, float* out, bool normalize) {
  const std::lock_guard lock(mutex_);
  const int64_t group = kGroup * batch_factor();
  for (int64_t i = 0; i < pixels.n; i += group) {
    const model::PixelBatch part{.pixels = pixels.pixels + i * pixels.h * pixels.w * 3,
                                 .n = std::min(group, pixels.n - i),
                                 .h = pixels.h,
                                 .w = pixels.w};
    translated([&] { embed_group(part, out + i * config_.embed_dim, normalize); });
  }
}

void Clip::embed_group(const model::PixelBatch& pixels, float* out, bool normalize) const {
  const at::NoGradGuard guard;
  // To a GPU go bytes, a quarter of the floats, from pinned memory, which it reads by itself.
  const bool gpu = !device().is_cpu();
  const at::Tensor bytes =
      at::empty({pixels.n, pixels.h, pixels.w, 3}, at::TensorOptions(at::kByte).pinned_memory(gpu));
  std::memcpy(bytes.data_ptr(), pixels.pixels, static_cast<size_t>(bytes.numel()));
  const at::Tensor x = (bytes.to(device(), at::kByte, gpu).to(at::kFloat) / 255 - mean_) / std_;
  finish(encode_image(*params_, config_, x, mode_), out, normalize);
}

void Clip::embed_texts(const model::TokenRows& tokens, float* out, bool normalize) {
  const std::lock_guard lock(mutex_);
  const at::NoGradGuard guard;
  const int64_t most = kGroup * batch_factor();
  for (int64_t i = 0; i < tokens.size(); i += most) {
    model::TokenRows group;
    for (int64_t j = i; j < std::min(i + most, tokens.size()); ++j) group.add(tokens.row(j));
    translated([&] {
      finish(encode_text(*params_, config_, group, mode_), out + i * config_.embed_dim, normalize);
    });
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

std::string Clip::image_identity() {
  const auto picture = model::synthetic_picture(config_.image_height, config_.image_width);
  std::vector<float> probe(static_cast<size_t>(config_.embed_dim));
  embed_images({picture.data(), 1, config_.image_height, config_.image_width}, probe.data(), false);
  return identity(probe);
}

std::string Clip::text_identity() {
  std::vector<int32_t> ids;
  for (int64_t i = 1; i <= config_.text.context_length; ++i) {
    ids.push_back(static_cast<int32_t>(i * config_.text.vocab_size / config_.text.context_length) -
                  1);
  }
  model::TokenRows tokens;
  tokens.add(ids);
  std::vector<float> probe(static_cast<size_t>(config_.embed_dim));
  embed_texts(tokens, probe.data(), false);
  return identity(probe);
}

std::string Clip::identity(std::span<const float> probe) const {
  const std::string type = mode_.autocast ? at::toString(*mode_.autocast) : "as stored";
  // A sum may be divided among threads.
  const int threads = device().is_cpu() ? at::get_num_threads() : 0;
  ContentHash hash = hash_text("libtorch " TORCH_VERSION " " + device().str() + " " + type + " " +
                               std::to_string(threads));
  hash = hash_bytes(std::as_bytes(probe), hash);
  Params params = *params_;
  for_each_param(params, config_, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    const at::Tensor values = leaf.detach().to(at::kCPU).contiguous();
    hash = hash_text(
        info.name + weights::format_shape(info.shape) + at::toString(values.scalar_type()), hash);
    hash =
        hash_bytes({static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()}, hash);
  });
  return hash.hex();
}

}  // namespace clipnext::train

#include "infer/clip.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "infer/packed_file.h"
#include "model/bind.h"

namespace clipnext::infer {
namespace {

/// A trunk without adapter gives its own width, which must be what the text tower gives.
void check_features(const model::ClipConfig& config) {
  const auto* convnext = std::get_if<model::ConvNextConfig>(&config.vision);
  if (convnext == nullptr || convnext->head != model::HeadType::kNone) return;
  const int64_t features = convnext->pre_logits > 0 ? convnext->pre_logits : convnext->dims[3];
  require(features == config.embed_dim, config.name, ": timm_proj \"none\" gives ", features,
          " features, but embed_dim is ", config.embed_dim);
}

}  // namespace

Clip::Clip(const model::ClipConfig& config, Params params, ThreadPool& pool,
           const kernels::Kernels& kernels)
    : config_(config), engine_{kernels, pool, {}} {
  check_features(config);
  logit_scale_ = std::exp(*params.logit_scale.data());
  if (config.has_logit_bias) logit_bias_ = *params.logit_bias.data();
  model::visit(params, config, [&](const Weight& weight, const model::ParamInfo&) {
    type_ = std::max(type_, weight.type);
  });
  const auto list_in = [](WeightList& list) {
    return [&list](const Weight& weight, const model::ParamInfo& info) {
      list.emplace_back(info.name + weights::format_shape(info.shape), weight);
    };
  };
  model::visit_image(params, config, list_in(image_weights_));
  model::visit_text(params, config, list_in(text_weights_));
  image_ = make_image_tower(config, params);
  text_ = std::make_unique<TextTower>(config, std::move(params.text));
}

Clip::Clip(const model::ClipConfig& config, const weights::TensorMap& tensors, ThreadPool& pool,
           const std::string& source, ComputeType type, const kernels::Kernels& kernels)
    : Clip(config,
           pack(config, model::bind_tensors(config, tensors, source), choose_types(config, type),
                kernels, pool),
           pool, kernels) {}

void Clip::embed_images(const model::PixelBatch& pixels, float* out, bool normalize) {
  const std::lock_guard lock(mutex_);
  image_->embed(engine_, pixels, out, {});
  finish(out, pixels.n, normalize);
}

void Clip::embed_texts(const model::TokenRows& tokens, float* out, bool normalize) {
  const std::lock_guard lock(mutex_);
  rows_.clear();
  for (int64_t i = 0; i < tokens.size(); ++i) rows_.push_back(tokens.row(i));
  text_->embed(engine_, rows_, out, {});
  finish(out, tokens.size(), normalize);
}

void Clip::finish(float* out, int64_t n, bool normalize) const {
  const bool finite = std::all_of(out, out + n * config_.embed_dim,
                                  [](float value) { return std::isfinite(value); });
  require(finite, config_.name,
          ": the model gives values that are not finite; are its weights damaged?");
  if (normalize) engine_.kernels.l2_normalize(out, n, config_.embed_dim);
}

std::string Clip::image_identity() {
  const int64_t height = config_.image_height;
  const int64_t width = config_.image_width;
  std::vector<uint8_t> probe(static_cast<size_t>(height * width * 3));
  for (size_t i = 0; i < probe.size(); ++i) probe[i] = static_cast<uint8_t>(i * i % 251 + i % 5);
  std::vector<float> features(static_cast<size_t>(config_.embed_dim));
  embed_images({.pixels = probe.data(), .n = 1, .h = height, .w = width}, features.data(), false);
  const std::lock_guard lock(mutex_);
  return identity(engine_, image_weights_, features);
}

std::string Clip::text_identity() {
  std::vector<int32_t> probe;
  for (int64_t i = 0; i < config_.text.context_length; ++i) {
    probe.push_back(static_cast<int32_t>(i * 7919 % config_.text.vocab_size));
  }
  std::vector<float> features(static_cast<size_t>(config_.embed_dim));
  const std::lock_guard lock(mutex_);
  rows_ = {probe};
  text_->embed(engine_, rows_, features.data(), {});
  return identity(engine_, text_weights_, features);
}

void Clip::trace_images(const model::PixelBatch& pixels, float* out, const Trace& trace) {
  const std::lock_guard lock(mutex_);
  image_->embed(engine_, pixels, out, trace);
}

void Clip::trace_texts(std::span<const std::span<const int32_t>> rows, float* out,
                       const Trace& trace) {
  const std::lock_guard lock(mutex_);
  text_->embed(engine_, rows, out, trace);
}

ComputeType load_type(const model::Model& model, std::optional<ComputeType> type) {
  const auto packed = read_packed_info(model.checkpoint, model.name);
  if (!packed) return type.value_or(ComputeType::kFp32);
  require(!type || *type == packed->type, model.name, ": is packed in ",
          compute_type_name(packed->type), "; to compute in ", compute_type_name(*type),
          ", use the weights it was made from (", packed->model, ")");
  return packed->type;
}

std::unique_ptr<Clip> load_clip(const model::Model& model, ThreadPool& pool,
                                std::optional<ComputeType> type) {
  if (model::is_packed(model.checkpoint)) {
    load_type(model, type);  // refuses another
    return std::make_unique<Clip>(model.config,
                                  load_packed(model.config, model.checkpoint, model.name), pool);
  }
  return std::make_unique<Clip>(model.config, model.checkpoint.tensors, pool, model.name,
                                load_type(model, type));
}

}  // namespace clipnext::infer

// Initial values of a model trained from scratch, tensor by tensor (spec: model.md section 12).
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>
#include <numbers>
#include <variant>

#include "base/random.h"
#include "model/synthetic.h"
#include "train/parallel.h"
#include "train/params.h"

namespace clipnext::train {
namespace {

/// Where a tensor's values come from: constant `value`, normal with standard deviation `value`, or
/// uniform in [-value, value).
struct Rule {
  enum class Kind : uint8_t { kConstant, kNormal, kUniform } kind = Kind::kConstant;
  double value = 0;
};

Rule constant(double value) { return {Rule::Kind::kConstant, value}; }
Rule normal(double deviation) { return {Rule::Kind::kNormal, deviation}; }
Rule uniform(double bound) { return {Rule::Kind::kUniform, bound}; }

using model::ParamInfo;
using model::Role;

/// PyTorch's own initialisation of Linear and Conv2d, weight and bias alike.
Rule default_rule(double fan_in) { return uniform(1 / std::sqrt(fan_in)); }

/// timm's: its truncation lies 100 deviations out.
constexpr double kTrunkDeviation = 0.02;

Rule convnext_rule(const model::ConvNextConfig& config, const ParamInfo& info, double fan_in) {
  if (info.role == Role::kLayerScale) return constant(config.layer_scale_init);
  const bool bias = info.role == Role::kBias;
  if (info.name.starts_with("visual.trunk.")) return bias ? constant(0) : normal(kTrunkDeviation);
  return default_rule(fan_in);  // open_clip's adapter, biases too
}

/// Of a transformer block whose deviations the tower sets (text) or not (ViT).
Rule block_bias_rule(const ParamInfo& info, double fan_in) {
  const bool mlp = info.name.find(".mlp.") != std::string::npos;
  return mlp ? default_rule(fan_in) : constant(0);
}

Rule vit_rule(const model::VitConfig& config, const ParamInfo& info, double fan_in) {
  const auto width = static_cast<double>(config.width);
  if (info.role == Role::kLayerScale) return constant(config.layer_scale_init);
  if (info.role == Role::kEmbedding || info.name == "visual.proj") {
    return normal(1 / std::sqrt(width));
  }
  if (info.role == Role::kBias) return block_bias_rule(info, fan_in);
  if (info.name.ends_with("in_proj_weight")) return uniform(std::sqrt(6 / (width + 3 * width)));
  return default_rule(fan_in);
}

Rule resnet_rule(const model::ResNetConfig& config, const ParamInfo& info, double fan_in) {
  const auto channels = static_cast<double>(32 * config.width);
  if (info.role == Role::kStatistic) return constant(info.name.ends_with("var") ? 1 : 0);
  if (info.role == Role::kConv) return default_rule(fan_in);
  if (info.role == Role::kBias) {
    return info.name.starts_with("visual.attnpool.") ? default_rule(fan_in) : constant(0);
  }
  return normal(1 / std::sqrt(channels));  // attention pooling
}

Rule text_rule(const model::TextConfig& config, const ParamInfo& info, double fan_in) {
  const auto width = static_cast<double>(config.width);
  if (info.name == "token_embedding.weight") return normal(0.02);
  if (info.role == Role::kEmbedding) return normal(0.01);
  if (info.role == Role::kBias) {
    return info.name == "text_projection.bias" ? constant(0) : block_bias_rule(info, fan_in);
  }
  const double deviation = 1 / std::sqrt(width);
  if (info.name.ends_with("c_fc.weight")) return normal(deviation / std::sqrt(2.0));
  if (info.name.ends_with("out_proj.weight") || info.name.ends_with("c_proj.weight")) {
    return normal(deviation / std::sqrt(2.0 * static_cast<double>(config.layers)));
  }
  return normal(deviation);  // in_proj_weight, text_projection
}

/// A norm's gain; the last of each of a ResNet's blocks begins as if it were not there.
Rule norm_rule(const ParamInfo& info) {
  return constant(info.name.starts_with("visual.layer") && info.name.ends_with("bn3.weight") ? 0
                                                                                             : 1);
}

bool is_norm_bias(const ParamInfo& info, const std::map<std::string, Role>& roles) {
  if (info.role != Role::kBias) return false;
  const auto weight = roles.find(info.name.substr(0, info.name.size() - 4) + "weight");
  return weight != roles.end() && weight->second == Role::kNorm;
}

Rule rule_of(const model::ClipConfig& config, const ParamInfo& info, double fan_in) {
  if (info.name == "logit_scale") return constant(config.init_logit_scale);
  if (info.name == "logit_bias") return constant(config.init_logit_bias);
  if (info.role == Role::kNorm) return norm_rule(info);
  if (!info.name.starts_with("visual.")) return text_rule(config.text, info, fan_in);
  if (const auto* convnext = std::get_if<model::ConvNextConfig>(&config.vision)) {
    return convnext_rule(*convnext, info, fan_in);
  }
  if (const auto* vit = std::get_if<model::VitConfig>(&config.vision)) {
    return vit_rule(*vit, info, fan_in);
  }
  return resnet_rule(std::get<model::ResNetConfig>(config.vision), info, fan_in);
}

double unit(uint64_t key, uint64_t i) {
  return static_cast<double>(random_bits(key, i) >> 11) * 0x1p-53;
}

/// Element i of the tensor whose stream is `key`; each takes two numbers of it.
float draw(const Rule& rule, uint64_t key, int64_t i) {
  const auto at = 2 * static_cast<uint64_t>(i);
  if (rule.kind == Rule::Kind::kConstant) return static_cast<float>(rule.value);
  if (rule.kind == Rule::Kind::kUniform) {
    return static_cast<float>(rule.value * (2 * unit(key, at) - 1));
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(key, at)));
  return static_cast<float>(rule.value * radius *
                            std::cos(2 * std::numbers::pi * unit(key, at + 1)));
}

at::Tensor draw_all(const Rule& rule, uint64_t key, const weights::Shape& shape) {
  constexpr int64_t kGrain = 1 << 14;
  at::Tensor values = at::empty(shape, at::kFloat);
  float* out = values.data_ptr<float>();
  parallel_for(
      values.numel(), [&](int64_t i) { out[i] = draw(rule, key, i); }, kGrain);
  return values;
}

/// Inputs that a bias's layer sums over: the row length of the weight beside it.
double fan_in_of(const ParamInfo& info, const std::map<std::string, double>& row_lengths) {
  std::string weight = info.name;
  if (info.role == Role::kBias) weight.replace(weight.size() - 4, 4, "weight");
  const auto at = row_lengths.find(weight);
  return at == row_lengths.end() ? 1 : at->second;
}

}  // namespace

void initialise(Params& params, const model::ClipConfig& config, uint64_t seed) {
  std::map<std::string, double> row_lengths;
  std::map<std::string, Role> roles;
  for (const ParamInfo& info : model::list_params(config)) {
    double length = 1;
    for (size_t i = 1; i < info.shape.size(); ++i) length *= static_cast<double>(info.shape[i]);
    row_lengths[info.name] = length;
    roles[info.name] = info.role;
  }
  const at::NoGradGuard guard;
  for_each_param(params, config, [&](at::Tensor& leaf, const ParamInfo& info) {
    const Rule rule = is_norm_bias(info, roles)
                          ? constant(0)
                          : rule_of(config, info, fan_in_of(info, row_lengths));
    leaf.copy_(draw_all(rule, random_key(seed, model::hash_name(info.name)), info.shape));
  });
}

}  // namespace clipnext::train

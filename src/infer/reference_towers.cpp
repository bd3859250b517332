// The three image towers in double.
#include <algorithm>

#include "infer/reference_ops.h"

namespace clipnext::infer::reference {
namespace {

Map convnext_stem(ThreadPool& pool, const model::ConvNextConfig& config,
                  const model::ConvNextParams<Tensor>& p, const Map& pixels) {
  if (config.stem == model::StemType::kPatch) {
    return layer_norm(convolve(pool, pixels, p.stem0_weight, p.stem0_bias, 4, 0), p.stem_norm,
                      double{config.eps});
  }
  const Map half = convolve(pool, pixels, p.stem0_weight, p.stem0_bias, 2, 1);
  return layer_norm(convolve(pool, half, p.stem1_weight, p.stem1_bias, 2, 1), p.stem_norm,
                    double{config.eps});
}

void relu(Map& x) {
  for (double& v : x.values) v = std::max(v, 0.0);
}

/// Convolution and its batch norm.
Map convolve(ThreadPool& pool, const Map& x, const model::ConvNorm<Tensor>& p, int64_t stride,
             int64_t padding) {
  Map y = convolve(pool, x, p.weight, {}, stride, padding);
  const Doubles gain = to_doubles(p.gain);
  const Doubles bias = to_doubles(p.bias);
  const Doubles mean = to_doubles(p.mean);
  const Doubles var = to_doubles(p.var);
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t c = i % gain.size();
    y.values[i] = (y.values[i] - mean[c]) / std::sqrt(var[c] + 1e-5) * gain[c] + bias[c];
  }
  return y;
}

Map average_pool(const Map& x, int64_t s) {
  Map y{x.h / s, x.w / s, x.c, Doubles(static_cast<size_t>((x.h / s) * (x.w / s) * x.c))};
  for (int64_t i = 0; i < y.rows() * x.c; ++i) {
    const int64_t row = i / x.c / y.w * s;
    const int64_t column = i / x.c % y.w * s;
    double sum = 0;
    for (int64_t tap = 0; tap < s * s; ++tap) {
      sum +=
          x.values[static_cast<size_t>(((row + tap / s) * x.w + column + tap % s) * x.c + i % x.c)];
    }
    y.values[static_cast<size_t>(i)] = sum / static_cast<double>(s * s);
  }
  return y;
}

Map bottleneck(ThreadPool& pool, const Map& x, const model::Bottleneck<Tensor>& p, int64_t stride) {
  Map y = convolve(pool, x, p.conv1, 1, 0);
  relu(y);
  y = convolve(pool, y, p.conv2, 1, 1);
  relu(y);
  if (stride > 1) y = average_pool(y, stride);
  y = convolve(pool, y, p.conv3, 1, 0);
  if (p.downsample.weight.data.empty()) {
    add(y, x);
  } else {
    add(y, convolve(pool, stride > 1 ? average_pool(x, stride) : x, p.downsample, 1, 0));
  }
  relu(y);
  return y;
}

/// The first `count` rows of x.
Map head_rows(const Map& x, int64_t count) {
  return {count, 1, x.c, Doubles(x.values.begin(), x.values.begin() + count * x.c)};
}

}  // namespace

Map embed_convnext(ThreadPool& pool, const model::ConvNextConfig& config,
                   const model::ConvNextParams<Tensor>& params, const Map& pixels) {
  const double eps = config.eps;
  Map x = convnext_stem(pool, config, params, pixels);
  for (const auto& stage : params.stages) {
    if (!stage.downsample_weight.data.empty()) {
      x = convolve(pool, layer_norm(x, stage.downsample_norm, eps), stage.downsample_weight,
                   stage.downsample_bias, 2, 0);
    }
    for (const auto& p : stage.blocks) {
      Map y = layer_norm(convolve_depthwise(pool, x, p.dw_weight, p.dw_bias), p.norm, eps);
      y = linear(pool, y, p.fc1_weight, p.fc1_bias, Act::kGelu);
      add(x, linear(pool, y, p.fc2_weight, p.fc2_bias), p.gamma);
    }
  }
  x = config.head_norm_first ? mean(layer_norm(x, params.norm_pre, eps))
                             : layer_norm(mean(x), params.head_norm, eps);
  if (config.pre_logits > 0) {
    x = linear(pool, x, params.pre_logits_weight, params.pre_logits_bias, Act::kGelu);
  }
  switch (config.head) {
    case model::HeadType::kNone:
      return x;
    case model::HeadType::kLinear:
      return linear(pool, x, params.head_proj_weight, params.head_proj_bias);
    case model::HeadType::kMlp:
      x = linear(pool, x, params.head_fc1_weight, params.head_fc1_bias, Act::kGelu);
      return linear(pool, x, params.head_fc2_weight, params.head_fc2_bias);
  }
  return x;
}

Map embed_vit(ThreadPool& pool, const model::VitConfig& config,
              const model::VitParams<Tensor>& params, const Map& pixels) {
  const Map patches = convolve(pool, pixels, params.conv1_weight, {}, config.patch, 0);
  Map x{patches.rows() + 1, 1, config.width, to_doubles(params.class_embedding)};
  x.values.insert(x.values.end(), patches.values.begin(), patches.values.end());
  const Doubles positions = to_doubles(params.positional_embedding);
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] += positions[i];
  x = layer_norm(x, params.ln_pre, 1e-5);
  transform(pool, x, params.blocks, config.heads, config.activation, false);
  return multiply(pool, layer_norm(head_rows(x, 1), params.ln_post, 1e-5), params.proj);
}

Map embed_resnet(ThreadPool& pool, const model::ResNetConfig& config,
                 const model::ResNetParams<Tensor>& params, const Map& pixels) {
  Map x = pixels;
  for (size_t i = 0; i < 3; ++i) {
    x = convolve(pool, x, params.stem[i], i == 0 ? 2 : 1, 1);
    relu(x);
  }
  x = average_pool(x, 2);
  for (size_t k = 0; k < 4; ++k) {
    for (size_t j = 0; j < params.layers[k].size(); ++j) {
      x = bottleneck(pool, x, params.layers[k][j], j == 0 && k > 0 ? 2 : 1);
    }
  }

  Map tokens = mean(x);
  tokens.values.insert(tokens.values.end(), x.values.begin(), x.values.end());
  tokens.h = x.rows() + 1;
  const Doubles positions = to_doubles(params.positional_embedding);
  for (size_t i = 0; i < tokens.values.size(); ++i) tokens.values[i] += positions[i];
  const Map q = linear(pool, head_rows(tokens, 1), params.q_weight, params.q_bias);
  const Map k = linear(pool, tokens, params.k_weight, params.k_bias);
  const Map v = linear(pool, tokens, params.v_weight, params.v_bias);
  return linear(pool, attention(pool, q, k, v, config.heads, false), params.c_weight,
                params.c_bias);
}

}  // namespace clipnext::infer::reference

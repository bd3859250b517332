#include "train/resnet.h"

#include <string>

#include "train/batch_norm.h"
#include "train/layers.h"

namespace clipnext::train {
namespace {

/// Convolution and batch norm of x [n, h, w, c].
at::Tensor convolve_norm(const at::Tensor& x, const model::ConvNorm<at::Tensor>& p, int64_t stride,
                         int64_t padding, const Mode& mode) {
  const at::Tensor y =
      at::conv2d(x.permute({0, 3, 1, 2}), p.weight, {}, stride, padding);  // [n, c, h, w]
  return batch_norm(y, p, mode).permute({0, 2, 3, 1});
}

at::Tensor average_pool(const at::Tensor& x, int64_t side) {
  return at::avg_pool2d(x.permute({0, 3, 1, 2}), side).permute({0, 2, 3, 1});
}

at::Tensor stem(const model::ResNetParams<at::Tensor>& params, at::Tensor x, const Mode& mode) {
  for (size_t i = 0; i < 3; ++i) {
    x = at::relu(convolve_norm(x, params.stem[i], i == 0 ? 2 : 1, 1, mode));
    if (mode.trace) show(mode, "visual.act" + std::to_string(i + 1), x);
  }
  return average_pool(x, 2);
}

at::Tensor block(const model::Bottleneck<at::Tensor>& p, const at::Tensor& x, int64_t stride,
                 const Mode& mode) {
  at::Tensor y = at::relu(convolve_norm(x, p.conv1, 1, 0, mode));
  y = at::relu(convolve_norm(y, p.conv2, 1, 1, mode));
  if (stride > 1) y = average_pool(y, stride);
  y = convolve_norm(y, p.conv3, 1, 0, mode);
  if (!p.downsample.weight.defined()) return at::relu(y + x);
  const at::Tensor shortcut = stride > 1 ? average_pool(x, stride) : x;
  return at::relu(y + convolve_norm(shortcut, p.downsample, 1, 0, mode));
}

/// Attention of the mean (with its position) over itself and all pixels; only its output counts.
at::Tensor attention_pool(const model::ResNetConfig& config,
                          const model::ResNetParams<at::Tensor>& params, const at::Tensor& map) {
  const int64_t n = map.size(0);
  const at::Tensor pixels = map.reshape({n, -1, map.size(3)});
  at::Tensor x = at::cat({pixels.mean(1, true), pixels}, 1);  // [n, pixels + 1, c]
  x = x + params.positional_embedding.to(x.scalar_type());
  const auto heads = [&](const at::Tensor& rows, const at::Tensor& weight, const at::Tensor& bias) {
    return at::linear(rows, weight, bias).view({n, rows.size(1), config.heads, -1}).transpose(1, 2);
  };
  const at::Tensor y = at::scaled_dot_product_attention(
      heads(x.narrow(1, 0, 1), params.q_weight, params.q_bias),
      heads(x, params.k_weight, params.k_bias), heads(x, params.v_weight, params.v_bias));
  return at::linear(y.transpose(1, 2).reshape({n, -1}), params.c_weight, params.c_bias);
}

}  // namespace

at::Tensor encode_resnet(const model::ResNetConfig& config,
                         const model::ResNetParams<at::Tensor>& params, const at::Tensor& pixels,
                         const Mode& mode) {
  // On the CPU batch norm sums most exactly where a channel lies in one piece, and near a ReLU's
  // zero every rounding counts.
  at::Tensor x = pixels;
  if (x.is_cpu()) x = x.permute({0, 3, 1, 2}).contiguous().permute({0, 2, 3, 1});
  x = stem(params, x, mode);
  show(mode, "visual.avgpool", x);
  for (size_t k = 0; k < 4; ++k) {
    const std::string layer = "visual.layer" + std::to_string(k + 1);
    for (size_t j = 0; j < params.layers[k].size(); ++j) {
      x = block(params.layers[k][j], x, j == 0 && k > 0 ? 2 : 1, mode);
      if (mode.trace) show(mode, layer + "." + std::to_string(j), x);
    }
  }
  x = attention_pool(config, params, x);
  show(mode, "visual", x);
  return x;
}

}  // namespace clipnext::train

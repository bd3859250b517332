#include "train/convnext.h"

#include <numeric>
#include <string>

#include "train/depthwise.h"
#include "train/layers.h"
#include "train/mlp.h"
#include "train/params.h"
#include "train/recompute.h"

namespace clipnext::train {
namespace {

using Trunk = model::ConvNextParams<at::Tensor>;
using Block = model::ConvNextBlock<at::Tensor>;

/// timm's norms: as PyTorch computes them, whatever type that gives.
at::Tensor norm(const at::Tensor& x, const model::Norm<at::Tensor>& p, double eps) {
  return at::layer_norm(x, p.weight.sizes(), p.weight, p.bias, eps);
}

/// Of a Linear, which conv_mlp models keep as a 1x1 convolution.
at::Tensor matrix(const at::Tensor& weight) { return weight.flatten(1); }

at::Tensor stem(const model::ConvNextConfig& config, const Trunk& params,
                const at::Tensor& pixels) {
  if (config.stem == model::StemType::kPatch) {
    return norm(convolve(pixels, params.stem0_weight, params.stem0_bias, 4, 0), params.stem_norm,
                config.eps);
  }
  const at::Tensor half = convolve(pixels, params.stem0_weight, params.stem0_bias, 2, 1);
  return norm(convolve(half, params.stem1_weight, params.stem1_bias, 2, 1), params.stem_norm,
              config.eps);
}

at::Tensor downsample(const at::Tensor& x, const model::ConvNextStage<at::Tensor>& stage,
                      double eps) {
  return convolve(norm(x, stage.downsample_norm, eps), stage.downsample_weight,
                  stage.downsample_bias, 2, 0);
}

/// convnext_block, its inside computed again in the backward pass.
at::Tensor checkpointed_block(const at::Tensor& x, const Block& p, double eps,
                              const at::Tensor& keep) {
  Block copy = p;
  std::vector<at::Tensor> inputs = {x};
  for (const at::Tensor* t : tensors_of(copy, 0, false)) inputs.push_back(*t);
  return recompute(
      [eps, keep](const std::vector<at::Tensor>& in) {
        Block block;
        size_t next = 1;
        for (at::Tensor* t : tensors_of(block, 0, false)) *t = in[next++];
        return convnext_block(in[0], block, eps, keep);
      },
      inputs);
}

at::Tensor head(const model::ConvNextConfig& config, const Trunk& params, at::Tensor x,
                const Mode& mode) {
  if (config.head_norm_first) {
    x = norm(x, params.norm_pre, config.eps);
    show(mode, "visual.trunk.norm_pre", x);
  }
  x = x.mean({1, 2});  // [n, c]
  if (!config.head_norm_first) x = norm(x, params.head_norm, config.eps);
  if (config.pre_logits > 0) {
    x = at::gelu(at::linear(x, params.pre_logits_weight, params.pre_logits_bias));
  }
  show(mode, "visual.trunk.head", x);
  const auto drop = [&](const at::Tensor& y) {
    const at::Tensor keep = keep_mask(mode, Mask::kHeadDropout, 0, config.drop, y.sizes(), y);
    return keep.defined() ? y * keep : y;
  };
  if (config.head == model::HeadType::kLinear) {
    // The trunk's own classifier has timm's drop_rate before it, which open_clip leaves 0.
    if (!config.trunk_head) x = drop(x);
    x = at::linear(x, params.head_proj_weight, params.head_proj_bias);
  } else if (config.head == model::HeadType::kMlp) {
    x = drop(at::gelu(at::linear(x, params.head_fc1_weight, params.head_fc1_bias)));
    x = at::linear(x, params.head_fc2_weight, params.head_fc2_bias);
  }
  show(mode, "visual", x);
  return x;
}

}  // namespace

at::Tensor convnext_block(const at::Tensor& x, const Block& p, double eps, const at::Tensor& keep) {
  at::Tensor y = depthwise_conv7(x, p.dw_weight, p.dw_bias);
  y = norm(y, p.norm, eps);
  const Mlp mlp{matrix(p.fc1_weight), p.fc1_bias, matrix(p.fc2_weight), p.fc2_bias, p.gamma};
  if (uses_kernels(x, mlp.fc1_weight)) return add_mlp(x, y, mlp, keep);
  y = at::gelu(at::linear(y, mlp.fc1_weight, mlp.fc1_bias));
  y = at::linear(y, mlp.fc2_weight, mlp.fc2_bias) * mlp.gamma;
  if (keep.defined()) y = y * keep.to(y.scalar_type());
  return y + x;
}

at::Tensor encode_convnext(const model::ConvNextConfig& config, const Trunk& params,
                           const at::Tensor& pixels, const Mode& mode) {
  const int64_t blocks = std::accumulate(config.depths.begin(), config.depths.end(), int64_t{0});
  const std::vector<double> rates = drop_path_rates(config.drop_path, blocks);
  at::Tensor x = stem(config, params, pixels);
  show(mode, "visual.trunk.stem", x);
  int64_t depth = 0;
  for (size_t i = 0; i < 4; ++i) {
    const model::ConvNextStage<at::Tensor>& stage = params.stages[i];
    if (i > 0) x = downsample(x, stage, config.eps);
    for (size_t j = 0; j < stage.blocks.size(); ++j, ++depth) {
      const at::Tensor keep = keep_mask(mode, Mask::kDropPath, depth,
                                        rates[static_cast<size_t>(depth)], {x.size(0), 1, 1, 1}, x);
      x = mode.checkpoint ? checkpointed_block(x, stage.blocks[j], config.eps, keep)
                          : convnext_block(x, stage.blocks[j], config.eps, keep);
      if (mode.trace) {
        show(mode, "visual.trunk.stages." + std::to_string(i) + ".blocks." + std::to_string(j), x);
      }
    }
  }
  return head(config, params, x, mode);
}

}  // namespace clipnext::train

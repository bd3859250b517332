#include "train/vit.h"

#include "train/layers.h"
#include "train/transformer.h"

namespace clipnext::train {
namespace {

/// Class token and patch tokens with their positions [n, tokens, width].
at::Tensor embed_patches(const model::VitConfig& config, const model::VitParams<at::Tensor>& params,
                         const at::Tensor& pixels) {
  const at::Tensor map = convolve(pixels, params.conv1_weight, {}, config.patch, 0);
  const at::Tensor patches = map.reshape({map.size(0), -1, config.width});
  const at::Tensor token = params.class_embedding.to(patches.scalar_type())
                               .view({1, 1, config.width})
                               .expand({map.size(0), 1, config.width});
  return at::cat({token, patches}, 1) + params.positional_embedding.to(patches.scalar_type());
}

/// Of each row's patches those that the pass keeps, behind the class token.
at::Tensor drop_patches(const at::Tensor& x, double rate, const Mode& mode) {
  if (!mode.training || rate <= 0) return x;
  const int64_t n = x.size(0);
  const int64_t tokens = x.size(1);
  at::Tensor kept = kept_patches(mode, rate, n, tokens - 1, x.device()) + 1;
  kept = at::cat({at::zeros({n, 1}, kept.options()), kept}, 1);
  const at::Tensor rows = kept + tokens * at::arange(n, kept.options()).unsqueeze(1);
  return select_rows(x.reshape({n * tokens, -1}), rows.flatten()).view({n, kept.size(1), -1});
}

}  // namespace

at::Tensor encode_vit(const model::VitConfig& config, const model::VitParams<at::Tensor>& params,
                      const at::Tensor& pixels, const Mode& mode) {
  at::Tensor x = drop_patches(embed_patches(config, params, pixels), config.patch_dropout, mode);
  x = layer_norm(x, params.ln_pre, kTransformerEps);
  show(mode, "visual.ln_pre", x);
  const int64_t n = x.size(0);
  const int64_t tokens = x.size(1);
  const Sequences sequences{
      .n = n,
      .longest = tokens,
      .slots = {},
      .pooled = at::arange(n, at::TensorOptions(at::kLong).device(x.device())) * tokens,
      .visible = std::nullopt};
  const TransformerSpec spec{
      .heads = config.heads, .activation = config.activation, .causal = false, .name = "visual."};
  x = transform(params.blocks, spec, sequences, x.reshape({n * tokens, -1}), mode);
  x = at::matmul(layer_norm(x, params.ln_post, kTransformerEps), params.proj);
  show(mode, "visual", x);
  return x;
}

}  // namespace clipnext::train

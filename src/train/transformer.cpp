#include "train/transformer.h"

#include "train/depthwise.h"
#include "train/layers.h"
#include "train/mlp.h"
#include "train/params.h"
#include "train/recompute.h"

namespace clipnext::train {
namespace {

using Block = model::TransformerBlock<at::Tensor>;

/// x [rows, parts * width] as `parts` tensors [n, heads, longest, d], unused places zero.
std::vector<at::Tensor> split_heads(const at::Tensor& x, const Sequences& sequences, int64_t parts,
                                    int64_t heads) {
  const int64_t places = sequences.n * sequences.longest;
  const at::Tensor padded = sequences.slots.defined() ? spread_rows(x, sequences.slots, places) : x;
  return padded.view({sequences.n, sequences.longest, parts, heads, -1})
      .permute({2, 0, 3, 1, 4})
      .unbind(0);
}

/// Self-attention of all rows of h [rows, width]. Padding stands behind a sequence, where the
/// causal mask hides it.
at::Tensor attend(const Block& p, const TransformerSpec& spec, const Sequences& sequences,
                  const at::Tensor& h) {
  const auto qkv =
      split_heads(at::linear(h, p.in_proj_weight, p.in_proj_bias), sequences, 3, spec.heads);
  at::Tensor y = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], {}, 0.0, spec.causal);
  y = y.transpose(1, 2).reshape({sequences.n * sequences.longest, -1});
  if (sequences.slots.defined()) y = select_rows(y, sequences.slots);
  return at::linear(y, p.out_proj_weight, p.out_proj_bias);
}

/// Attention of the pooled rows over all of theirs; returns [n, width].
at::Tensor attend_pooled(const Block& p, const TransformerSpec& spec, const Sequences& sequences,
                         const at::Tensor& h) {
  const int64_t width = h.size(1);
  const auto weights = p.in_proj_weight.split_with_sizes({width, 2 * width});
  const auto biases = p.in_proj_bias.split_with_sizes({width, 2 * width});
  const at::Tensor q = at::linear(select_rows(h, sequences.pooled), weights[0], biases[0])
                           .view({sequences.n, 1, spec.heads, -1})
                           .transpose(1, 2);
  const auto kv = split_heads(at::linear(h, weights[1], biases[1]), sequences, 2, spec.heads);
  const at::Tensor y = at::scaled_dot_product_attention(q, kv[0], kv[1], sequences.visible);
  return at::linear(y.transpose(1, 2).reshape({sequences.n, width}), p.out_proj_weight,
                    p.out_proj_bias);
}

at::Tensor scale(const at::Tensor& x, const at::Tensor& gamma) {
  return gamma.defined() ? x * gamma : x;
}

at::Tensor feed_forward(const Block& p, const TransformerSpec& spec, const at::Tensor& x) {
  const at::Tensor h = layer_norm(x, p.ln_2, kTransformerEps);
  if (uses_kernels(x, p.fc_weight) && spec.activation == model::Activation::kGelu) {
    return add_mlp(x, h, {p.fc_weight, p.fc_bias, p.proj_weight, p.proj_bias, p.gamma_2}, {});
  }
  const at::Tensor hidden = activate(at::linear(h, p.fc_weight, p.fc_bias), spec.activation);
  return x + scale(at::linear(hidden, p.proj_weight, p.proj_bias), p.gamma_2);
}

at::Tensor block(const Block& p, const TransformerSpec& spec, const Sequences& sequences,
                 const at::Tensor& x) {
  const at::Tensor h = layer_norm(x, p.ln_1, kTransformerEps);
  return feed_forward(p, spec, x + scale(attend(p, spec, sequences, h), p.gamma_1));
}

at::Tensor last_block(const Block& p, const TransformerSpec& spec, const Sequences& sequences,
                      const at::Tensor& x) {
  const at::Tensor h = layer_norm(x, p.ln_1, kTransformerEps);
  const at::Tensor branch = scale(attend_pooled(p, spec, sequences, h), p.gamma_1);
  return feed_forward(p, spec, select_rows(x, sequences.pooled) + branch);
}

using BlockFn = at::Tensor(const Block&, const TransformerSpec&, const Sequences&,
                           const at::Tensor&);

/// fn, its inside computed again in the backward pass.
at::Tensor checkpointed(BlockFn* fn, const Block& p, const TransformerSpec& spec,
                        const Sequences& sequences, const at::Tensor& x) {
  const bool layer_scale = p.gamma_1.defined();
  Block kept = p;
  std::vector<at::Tensor> inputs = {x};
  for (const at::Tensor* t : tensors_of(kept, 0, 0, layer_scale)) inputs.push_back(*t);
  return recompute(
      [fn, layer_scale, spec, sequences](const std::vector<at::Tensor>& in) {
        Block given;
        size_t next = 1;
        for (at::Tensor* t : tensors_of(given, 0, 0, layer_scale)) *t = in[next++];
        return fn(given, spec, sequences, in[0]);
      },
      inputs);
}

}  // namespace

at::Tensor transform(const std::vector<Block>& blocks, const TransformerSpec& spec,
                     const Sequences& sequences, at::Tensor x, const Mode& mode) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const bool last = i + 1 == blocks.size() && !mode.trace;
    BlockFn* fn = last ? last_block : block;
    x = mode.checkpoint ? checkpointed(fn, blocks[i], spec, sequences, x)
                        : fn(blocks[i], spec, sequences, x);
    if (mode.trace) show(mode, spec.name + "transformer.resblocks." + std::to_string(i), x);
    if (last) return x;
  }
  return select_rows(x, sequences.pooled);
}

}  // namespace clipnext::train

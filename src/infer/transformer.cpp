#include "infer/transformer.h"

#include <algorithm>
#include <utility>

namespace clipnext::infer {
namespace {

kernels::Act kernel_act(model::Activation activation) {
  return activation == model::Activation::kQuickGelu ? kernels::Act::kQuickGelu
                                                     : kernels::Act::kGelu;
}

}  // namespace

Transformer::Transformer(Options options, std::span<const Block> blocks)
    : options_(std::move(options)), blocks_(blocks) {}

void Transformer::run(Engine& engine, std::span<const Sequence> sequences, float* x, float* out,
                      const Trace& trace) {
  const int64_t rows = sequences.back().end;
  const auto n = static_cast<int64_t>(sequences.size());
  const int64_t w = options_.width;
  const Attention shape{.width = w, .heads = options_.heads, .causal = options_.causal};
  float* y = y_.ensure(rows * w);
  float* qkv = qkv_.ensure(rows * 3 * w);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& p = blocks_[i];
    const std::string at =
        trace ? options_.name + "transformer.resblocks." + std::to_string(i) : std::string();
    if (trace) show_norm(engine, p.ln_1, x, rows, at + ".ln_1", trace);
    {
      const RowsLease normed(engine.scratch, p.in_proj_weight.type, rows, w);
      norm_rows(engine, p.ln_1, kTransformerEps, x, rows, w, normed.rows());
      linear(engine, normed.rows(), rows, p.in_proj_weight, {.bias = p.in_proj_bias.data()}, qkv,
             3 * w);
    }
    if (i + 1 == blocks_.size() && !trace) {
      attend(engine, shape, sequences, qkv, options_.pooled, y);
      take_pooled(sequences, x, out);
      project(engine, p, y, n, out);
      feed_forward(engine, p, n, out);
      return;
    }
    attend(engine, shape, sequences, qkv, Queries::kAll, y);
    project(engine, p, y, rows, x);
    if (trace) show_norm(engine, p.ln_2, x, rows, at + ".ln_2", trace);
    feed_forward(engine, p, rows, x);
    if (trace) trace(at, x, {rows, w});
  }
  take_pooled(sequences, x, out);
}

/// x += gamma_1 * out_proj(y); without layer scale gamma_1 is null.
void Transformer::project(Engine& engine, const Block& p, const float* y, int64_t rows, float* x) {
  const int64_t w = options_.width;
  linear(
      engine, y, w, rows, p.out_proj_weight,
      {.bias = p.out_proj_bias.data(), .scale = p.gamma_1.data(), .residual = x, .ld_residual = w},
      x, w);
}

/// x += gamma_2 * mlp(ln_2(x)).
void Transformer::feed_forward(Engine& engine, const Block& p, int64_t rows, float* x) {
  const RowsLease normed(engine.scratch, p.fc_weight.type, rows, options_.width);
  norm_rows(engine, p.ln_2, kTransformerEps, x, rows, options_.width, normed.rows());
  add_mlp(engine,
          {.fc1 = p.fc_weight,
           .fc1_bias = p.fc_bias,
           .act = kernel_act(options_.activation),
           .fc2 = p.proj_weight,
           .fc2_bias = p.proj_bias,
           .scale = p.gamma_2.data()},
          normed.rows(), rows, x);
}

void Transformer::show_norm(Engine& engine, const model::Norm<Weight>& norm, const float* x,
                            int64_t rows, const std::string& name, const Trace& trace) {
  const int64_t w = options_.width;
  norm_rows(engine, norm, kTransformerEps, x, rows, w, y_.data());
  trace(name, y_.data(), {rows, w});
}

void Transformer::take_pooled(std::span<const Sequence> sequences, const float* x,
                              float* out) const {
  const int64_t w = options_.width;
  for (const Sequence& s : sequences) {
    const int64_t row = options_.pooled == Queries::kFirst ? s.begin : s.end - 1;
    out = std::copy_n(x + row * w, w, out);
  }
}

}  // namespace clipnext::infer

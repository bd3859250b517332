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

Transformer::Transformer(Options options, std::vector<model::TransformerBlock<Weight>> blocks)
    : options_(std::move(options)), blocks_(std::move(blocks)) {}

void Transformer::run(Engine& engine, std::span<const int64_t> offsets, float* x,
                      const Trace& trace) {
  const int64_t rows = offsets.back();
  const int64_t w = options_.width;
  float* y = y_.ensure(rows * w);
  qkv_.ensure(rows * 3 * w);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const auto& p = blocks_[i];
    const std::string at =
        trace ? options_.name + "transformer.resblocks." + std::to_string(i) : std::string();
    norm_rows(engine, p.ln_1, kTransformerEps, x, rows, w, y);
    if (trace) trace(at + ".ln_1", y, {rows, w});
    attend(engine, p, offsets, x);
    norm_rows(engine, p.ln_2, kTransformerEps, x, rows, w, y);
    if (trace) trace(at + ".ln_2", y, {rows, w});
    add_mlp(engine,
            {.fc1 = p.fc_weight,
             .fc1_bias = p.fc_bias,
             .act = kernel_act(options_.activation),
             .fc2 = p.proj_weight,
             .fc2_bias = p.proj_bias,
             .scale = p.gamma_2.data()},
            y, rows, x);
    if (trace) trace(at, x, {rows, w});
  }
}

/// x += gamma_1 * out_proj(attention(in_proj(y))), y in y_; without layer scale gamma_1 is null.
void Transformer::attend(Engine& engine, const model::TransformerBlock<Weight>& p,
                         std::span<const int64_t> offsets, float* x) {
  const int64_t rows = offsets.back();
  const int64_t w = options_.width;
  const int64_t heads = options_.heads;
  const int64_t d = w / heads;
  float* y = y_.data();
  float* qkv = qkv_.data();  // [rows, 3 w]: q, k, v side by side
  linear(engine, y, w, rows, p.in_proj_weight, {.bias = p.in_proj_bias.data()}, qkv, 3 * w);

  const auto sequences = static_cast<int64_t>(offsets.size()) - 1;
  engine.pool.parallel_for(sequences * heads, [&](int64_t i) {
    const int64_t begin = offsets[static_cast<size_t>(i / heads)];
    const int64_t t = offsets[static_cast<size_t>(i / heads) + 1] - begin;
    const int64_t column = i % heads * d;
    const float* q = qkv + begin * 3 * w + column;
    ScratchPool::Lease scratch(engine.scratch, engine.kernels.attention_scratch(t, d));
    engine.kernels.attention(q, q + w, q + 2 * w, 3 * w, t, t, d, options_.causal, scratch.data(),
                             y + begin * w + column, w);
  });
  linear(
      engine, y, w, rows, p.out_proj_weight,
      {.bias = p.out_proj_bias.data(), .scale = p.gamma_1.data(), .residual = x, .ld_residual = w},
      x, w);
}

}  // namespace clipnext::infer

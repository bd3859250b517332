#include "infer/text.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace clipnext::infer {
namespace {

constexpr int64_t kGroupFloats = int64_t{8} << 20;  // of the hidden layer, to bound memory

}  // namespace

TextTower::TextTower(const model::ClipConfig& config, model::TextParams<Weight> params)
    : config_(config.text),
      embed_dim_(config.embed_dim),
      params_(std::move(params)),
      transformer_({.width = config_.width,
                    .heads = config_.heads,
                    .mlp_width = config_.mlp_width,
                    .activation = config_.activation,
                    .causal = true,
                    .name = ""},
                   std::move(params_.blocks)),
      positions_(weights::to_f32(params_.positional_embedding.table)),
      token_row_(params_.token_embedding.table) {
  token_row_.shape = {config_.width};
}

void TextTower::check(std::span<const std::span<const int32_t>> rows) const {
  for (const auto& row : rows) {
    require(!row.empty(), "a text without tokens");
    require(static_cast<int64_t>(row.size()) <= config_.context_length, "a text of ", row.size(),
            " tokens; this model's context is ", config_.context_length);
    for (const int32_t id : row) {
      require(id >= 0 && id < config_.vocab_size, "token id ", id, " is outside the vocabulary of ",
              config_.vocab_size);
    }
  }
}

void TextTower::embed(Engine& engine, std::span<const std::span<const int32_t>> rows, float* out,
                      const Trace& trace) {
  check(rows);
  const auto most = static_cast<size_t>(kGroupFloats / config_.mlp_width);  // positions a group
  while (!rows.empty()) {
    size_t count = 0;
    for (size_t used = 0; count < rows.size(); ++count) {
      used += rows[count].size();
      if (count > 0 && used > most && !trace) break;
    }
    embed_group(engine, rows.first(count), out, trace);
    out += static_cast<int64_t>(count) * embed_dim_;
    rows = rows.subspan(count);
  }
}

/// x [width] = token embedding + position.
void TextTower::embed_token(int32_t id, int64_t position, float* x) {
  const weights::Tensor& table = params_.token_embedding.table;
  const int64_t w = config_.width;
  const auto row_bytes = static_cast<size_t>(w * weights::dtype_size(table.dtype));
  token_row_.data = table.data.subspan(static_cast<size_t>(id) * row_bytes, row_bytes);
  weights::copy_as_f32(token_row_, x);
  const float* at = positions_.data() + position * w;
  for (int64_t i = 0; i < w; ++i) x[i] += at[i];
}

void TextTower::embed_group(Engine& engine, std::span<const std::span<const int32_t>> rows,
                            float* out, const Trace& trace) {
  const int64_t w = config_.width;
  const auto n = static_cast<int64_t>(rows.size());
  offsets_.assign(1, 0);
  for (const auto& row : rows) {
    offsets_.push_back(offsets_.back() + static_cast<int64_t>(row.size()));
  }
  float* x = x_.ensure(offsets_.back() * w);  // [positions, width]
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t t = 0; t < rows[i].size(); ++t) {
      const auto position = static_cast<int64_t>(t);
      embed_token(rows[i][t], position, x + (offsets_[i] + position) * w);
    }
  }
  transformer_.run(engine, offsets_, x, trace);

  ScratchPool::Lease pooled(engine.scratch, n * w);
  for (int64_t i = 0; i < n; ++i) {
    const float* last = x + (offsets_[static_cast<size_t>(i) + 1] - 1) * w;
    engine.kernels.layer_norm(last, w, params_.ln_final.weight.data(), params_.ln_final.bias.data(),
                              1, w, kTransformerEps, pooled.data() + i * w, w);
  }
  linear(engine, pooled.data(), w, n, params_.projection, {.bias = params_.projection_bias.data()},
         out, embed_dim_);
  if (trace) trace("text", out, {n, embed_dim_});
}

}  // namespace clipnext::infer

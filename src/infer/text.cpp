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
                    .pooled = Queries::kLast,
                    .name = ""},
                   params_.blocks),
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
  if (rows.empty()) return;
  if (trace) {  // which shows every position of the rows, in their order
    std::vector<model::TokenTrie::Text> texts;
    for (const auto& row : rows) texts.push_back({.ids = row});
    const auto n = static_cast<int64_t>(rows.size());
    std::copy_n(embed_group(engine, texts, trace), n * embed_dim_, out);
    trace("text", out, {n, embed_dim_});
    return;
  }
  trie_.build(rows);
  const auto texts = trie_.texts();
  // Groups of about equal size: what a text shares with one in the group before is computed again.
  const int64_t most = kGroupFloats / config_.mlp_width;  // positions a group
  const int64_t groups = (trie_.nodes() + most - 1) / most;
  size_t begin = 0;
  for (int64_t group = 1, nodes = 0; group <= groups; ++group) {
    size_t end = begin;
    for (; end < texts.size() && nodes < trie_.nodes() * group / groups; ++end) {
      nodes += texts[end].added();
    }
    if (end == begin) continue;
    const auto part = texts.subspan(begin, end - begin);
    const float* features = embed_group(engine, part, trace);
    for (const auto& text : part) {
      for (const int64_t row : text.rows) std::copy_n(features, embed_dim_, out + row * embed_dim_);
      features += embed_dim_;
    }
    begin = end;
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

/// The features [texts, embed_dim] of consecutive texts of a trie, in features_.
const float* TextTower::embed_group(Engine& engine, std::span<const model::TokenTrie::Text> texts,
                                    const Trace& trace) {
  const int64_t w = config_.width;
  const auto n = static_cast<int64_t>(texts.size());
  sequences_.clear();
  int64_t rows = 0;
  for (const auto& text : texts) {
    const int64_t shared = sequences_.empty() ? 0 : text.shared;
    const int64_t end = rows + static_cast<int64_t>(text.ids.size()) - shared;
    sequences_.push_back({.begin = rows, .end = end, .shared = shared});
    rows = end;
  }
  float* x = x_.ensure(rows * w);
  for (size_t i = 0; i < texts.size(); ++i) {
    for (int64_t t = sequences_[i].shared; t < sequences_[i].length(); ++t, x += w) {
      embed_token(texts[i].ids[static_cast<size_t>(t)], t, x);
    }
  }
  ScratchPool::Lease pooled(engine.scratch, n * w);
  transformer_.run(engine, sequences_, x_.data(), pooled.data(), trace);
  norm_rows(engine, params_.ln_final, kTransformerEps, pooled.data(), n, w, pooled.data());
  float* features = features_.ensure(n * embed_dim_);
  linear(engine, pooled.data(), w, n, params_.projection, {.bias = params_.projection_bias.data()},
         features, embed_dim_);
  return features;
}

}  // namespace clipnext::infer

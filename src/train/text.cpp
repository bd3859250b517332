#include "train/text.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "train/device.h"
#include "train/layers.h"
#include "train/transformer.h"

namespace clipnext::train {
namespace {

/// The rows' tokens one after the other.
struct Packed {
  at::Tensor ids, positions;  // i64 [total]
  Sequences sequences;
};

at::Tensor to_tensor(const std::vector<int64_t>& values, at::Device device) {
  return send(at::tensor(values, at::kLong), device);
}

int64_t longest_row(const model::TextConfig& config, const model::TokenRows& tokens) {
  int64_t longest = 0;
  for (int64_t i = 0; i < tokens.size(); ++i) {
    const auto row = tokens.row(i);
    const auto length = static_cast<int64_t>(row.size());
    require(length <= config.context_length, "a text of ", length,
            " tokens; this model's context is ", config.context_length);
    for (const int32_t id : row) {
      require(id >= 0 && id < config.vocab_size, "token id ", id, " is outside the vocabulary of ",
              config.vocab_size);
    }
    longest = std::max(longest, length);
  }
  return longest;
}

Packed pack(const model::TextConfig& config, const model::TokenRows& tokens, at::Device device) {
  const int64_t longest = longest_row(config, tokens);
  const int64_t n = tokens.size();
  std::vector<int64_t> ids;
  std::vector<int64_t> positions;
  std::vector<int64_t> slots;
  std::vector<int64_t> pooled;
  at::Tensor visible = at::zeros({n, 1, 1, longest}, at::kBool);
  bool* seen = visible.data_ptr<bool>();
  for (int64_t i = 0; i < n; ++i) {
    const auto row = tokens.row(i);
    for (size_t t = 0; t < row.size(); ++t) {
      ids.push_back(row[t]);
      positions.push_back(static_cast<int64_t>(t));
      slots.push_back(i * longest + static_cast<int64_t>(t));
    }
    pooled.push_back(static_cast<int64_t>(ids.size()) - 1);
    std::fill_n(seen + i * longest, row.size(), true);
  }
  const bool ragged = static_cast<int64_t>(ids.size()) < n * longest;
  return {.ids = to_tensor(ids, device),
          .positions = to_tensor(positions, device),
          .sequences = {.n = n,
                        .longest = longest,
                        .slots = ragged ? to_tensor(slots, device) : at::Tensor(),
                        .pooled = to_tensor(pooled, device),
                        .visible = ragged ? std::optional(send(visible, device)) : std::nullopt}};
}

}  // namespace

at::Tensor encode_text(const model::TextConfig& config, const model::TextParams<at::Tensor>& params,
                       const model::TokenRows& tokens, const Mode& mode) {
  const Packed packed = pack(config, tokens, params.token_embedding.device());
  const at::ScalarType type = params.blocks.front().fc_weight.scalar_type();
  at::Tensor x = at::embedding(params.token_embedding, packed.ids).to(type) +
                 at::embedding(params.positional_embedding, packed.positions).to(type);
  const TransformerSpec spec{
      .heads = config.heads, .activation = config.activation, .causal = true, .name = ""};
  x = transform(params.blocks, spec, packed.sequences, x, mode);
  x = layer_norm(x, params.ln_final, kTransformerEps);
  x = params.projection_bias.defined() ? at::linear(x, params.projection, params.projection_bias)
                                       : at::matmul(x, params.projection);
  show(mode, "text", x);
  return x;
}

}  // namespace clipnext::train

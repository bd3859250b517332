// open_clip's text transformer, over the used positions only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "infer/transformer.h"
#include "model/token_trie.h"

namespace clipnext::infer {

class TextTower {
 public:
  TextTower(const model::ClipConfig& config, model::TextParams<Weight> params);

  /// Features of each row's last position, not normalised: out [rows, embed_dim]. Rows of any
  /// length up to the context; positions with the same tokens up to them are computed once, and
  /// none is padding. Throws Error for a longer row or an id outside the vocabulary.
  void embed(Engine& engine, std::span<const std::span<const int32_t>> rows, float* out,
             const Trace& trace);

 private:
  void check(std::span<const std::span<const int32_t>> rows) const;
  const float* embed_group(Engine& engine, std::span<const model::TokenTrie::Text> texts,
                           const Trace& trace);
  void embed_token(int32_t id, int64_t position, float* x);

  model::TextConfig config_;
  int64_t embed_dim_;
  model::TextParams<Weight> params_;
  Transformer transformer_;
  std::vector<float> positions_;  // [context, width]
  weights::Tensor token_row_;     // one row of the table, which stays in the checkpoint's type
  model::TokenTrie trie_;
  std::vector<Sequence> sequences_;
  Buffer x_, features_;
};

}  // namespace clipnext::infer

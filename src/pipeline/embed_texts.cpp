#include "pipeline/embed_texts.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "model/token_trie.h"

namespace clipnext::pipeline {
namespace {

constexpr int64_t kBatchPositions = 4096;  // to compute: seconds between signs of progress

}  // namespace

text::Tokenizer make_tokenizer(const model::Model& model) {
  const text::Clean clean = text::parse_clean(model.config.text.clean);
  if (!model.merges.empty()) return text::Tokenizer::from_merges(model.merges, model.name, clean);
  return model.tokenizer_folder.empty()
             ? text::Tokenizer(clean)
             : text::Tokenizer::from_folder(model.tokenizer_folder, clean);
}

Tokenized tokenize_texts(const text::Tokenizer& tokenizer, int64_t context_length,
                         std::span<const std::string> texts, OnBad on_bad) {
  Tokenized result;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i % 1024 == 0) throw_if_interrupted();
    try {
      result.rows.add(tokenizer.tokenize(texts[i], context_length));
      result.good.push_back(static_cast<int64_t>(i));
    } catch (const Error& error) {
      const std::string reason = "text " + std::to_string(i + 1) + ": " + error.what();
      if (on_bad == OnBad::kFail) throw Error(reason);
      result.bad.push_back({.index = static_cast<int64_t>(i), .reason = reason});
    }
  }
  return result;
}

std::vector<float> embed_rows(model::Embedder& embedder, const model::TokenRows& rows,
                              const BatchDone& batch_done) {
  std::vector<std::span<const int32_t>> ids;
  for (int64_t i = 0; i < rows.size(); ++i) ids.push_back(rows.row(i));
  const model::TokenTrie trie(ids);
  const auto texts = trie.texts();
  const auto dim = static_cast<size_t>(embedder.config().embed_dim);
  std::vector<float> vectors(ids.size() * dim);
  std::vector<float> batch_vectors;
  const int64_t most = kBatchPositions * embedder.batch_factor();
  for (size_t begin = 0; begin < texts.size();) {
    throw_if_interrupted();
    model::TokenRows batch;
    size_t end = begin;
    for (int64_t added = 0; end < texts.size(); ++end) {
      added += texts[end].added();
      if (end > begin && added > most) break;
      batch.add(texts[end].ids);
    }
    batch_vectors.resize((end - begin) * dim);
    embedder.embed_texts(batch, batch_vectors.data());
    int64_t done = 0;
    for (size_t i = begin; i < end; ++i) {
      const float* vector = batch_vectors.data() + (i - begin) * dim;
      for (const int64_t row : texts[i].rows) {
        std::copy_n(vector, dim, vectors.data() + static_cast<size_t>(row) * dim);
      }
      done += static_cast<int64_t>(texts[i].rows.size());
    }
    if (batch_done) batch_done(done);
    begin = end;
  }
  return vectors;
}

Embedded embed_texts(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                     std::span<const std::string> texts, OnBad on_bad,
                     const BatchDone& batch_done) {
  Tokenized tokens =
      tokenize_texts(tokenizer, embedder.config().text.context_length, texts, on_bad);
  if (batch_done && !tokens.bad.empty()) batch_done(static_cast<int64_t>(tokens.bad.size()));
  Embedded result;
  result.vectors = embed_rows(embedder, tokens.rows, batch_done);
  result.good = std::move(tokens.good);
  result.bad = std::move(tokens.bad);
  return result;
}

}  // namespace clipnext::pipeline

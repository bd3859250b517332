#include "pipeline/embed_texts.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"

namespace clipnext::pipeline {
namespace {

constexpr size_t kBatchTexts = 256;

}  // namespace

text::Tokenizer make_tokenizer(const model::Model& model) {
  const text::Clean clean = text::parse_clean(model.config.text.clean);
  return model.tokenizer_folder.empty()
             ? text::Tokenizer(clean)
             : text::Tokenizer::from_folder(model.tokenizer_folder, clean);
}

Embedded embed_texts(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                     std::span<const std::string> texts, OnBad on_bad,
                     const BatchDone& batch_done) {
  const model::ClipConfig& config = embedder.config();
  const auto dim = static_cast<size_t>(config.embed_dim);
  Embedded result;
  result.vectors.reserve(texts.size() * dim);
  for (size_t first = 0; first < texts.size(); first += kBatchTexts) {
    throw_if_interrupted();
    const size_t end = std::min(first + kBatchTexts, texts.size());
    model::TokenRows rows;
    for (size_t i = first; i < end; ++i) {
      try {
        rows.add(tokenizer.tokenize(texts[i], config.text.context_length));
        result.good.push_back(static_cast<int64_t>(i));
      } catch (const Error& error) {
        const std::string reason = "text " + std::to_string(i + 1) + ": " + error.what();
        if (on_bad == OnBad::kFail) throw Error(reason);
        result.bad.push_back({.index = static_cast<int64_t>(i), .reason = reason});
      }
    }
    if (rows.size() > 0) {
      const size_t at = result.vectors.size();
      result.vectors.resize(result.good.size() * dim);
      embedder.embed_texts(rows, result.vectors.data() + at);
    }
    if (batch_done) batch_done(static_cast<int64_t>(end - first));
  }
  return result;
}

}  // namespace clipnext::pipeline

// Strings to vectors in batches.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/embedder.h"
#include "model/source.h"
#include "pipeline/embedded.h"
#include "text/tokenizer.h"

namespace clipnext::pipeline {

/// The tokenizer of a model: its own files, or the embedded vocabulary, with the cleaning its
/// config names.
text::Tokenizer make_tokenizer(const model::Model& model);

/// The tokens of a list of texts.
struct Tokenized {
  model::TokenRows rows;      // of the good ones
  std::vector<int64_t> good;  // indices into the list, ascending
  std::vector<BadItem> bad;   // ascending
};

/// A text is bad if it is not UTF-8; its name is its place ("text 1" is the first).
Tokenized tokenize_texts(const text::Tokenizer& tokenizer, int64_t context_length,
                         std::span<const std::string> texts, OnBad on_bad = OnBad::kFail);

/// The vectors [rows, dim] of all rows, in order. The embedder gets them in batches of rows that
/// begin alike, since it computes what they share once. Throws Interrupted between batches.
std::vector<float> embed_rows(model::Embedder& embedder, const model::TokenRows& rows,
                              const BatchDone& batch_done = {});

/// Both of the above: every text, in order.
Embedded embed_texts(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                     std::span<const std::string> texts, OnBad on_bad = OnBad::kFail,
                     const BatchDone& batch_done = {});

}  // namespace clipnext::pipeline

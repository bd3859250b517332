// Strings to vectors in batches.
#pragma once

#include <span>
#include <string>

#include "model/embedder.h"
#include "model/source.h"
#include "pipeline/embedded.h"
#include "text/tokenizer.h"

namespace clipnext::pipeline {

/// The tokenizer of a model: its own files, or the embedded vocabulary, with the cleaning its
/// config names.
text::Tokenizer make_tokenizer(const model::Model& model);

/// Embeds every text, in order. A text is bad if it is not UTF-8; its name is its place ("text 1"
/// is the first). Throws Interrupted between batches.
Embedded embed_texts(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                     std::span<const std::string> texts, OnBad on_bad = OnBad::kFail,
                     const BatchDone& batch_done = {});

}  // namespace clipnext::pipeline

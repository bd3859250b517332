// A vocabulary as Hugging Face's CLIP tokenizer stores it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "text/vocabulary.h"

namespace clipnext::package {

/// By file name: vocab.json, merges.txt, tokenizer.json, tokenizer_config.json and
/// special_tokens_map.json, as transformers' CLIPTokenizer and CLIPTokenizerFast read them and
/// open_clip's push to the hub leaves them beside a model. open_clip itself reads none of them
/// unless the configuration asks for a tokenizer of the hub's.
std::map<std::string, std::string> tokenizer_files(const text::Vocabulary& vocabulary,
                                                   int64_t context_length);

}  // namespace clipnext::package

#include "text/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "text/alphabet.h"
#include "text/bpe.h"
#include "text/clean.h"
#include "text/pieces.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace clipnext::text {
namespace {

/// Appends the ids of a text, at least as many as make `ids` `enough` long if it has them.
void append_ids(const Vocabulary& vocabulary, std::string_view text, Clean clean, size_t enough,
                std::vector<int32_t>& ids) {
  const std::string cleaned = clean_text(text, clean);
  PieceReader pieces(cleaned);
  while (ids.size() < enough) {
    const std::optional<std::string_view> piece = pieces.next();
    if (!piece) return;
    if (*piece == kStartName) {
      ids.push_back(vocabulary.start());
    } else if (*piece == kEndName) {
      ids.push_back(vocabulary.end());
    } else {
      append_bpe(vocabulary, *piece, ids);
    }
  }
}

/// Bytes as text: each ill-formed part becomes one U+FFFD, as Python's errors="replace" does.
std::string replace_malformed(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const auto [code, size] = decode_one(bytes, at);
    append_utf8(out, code == kMalformed ? kReplacement : code);
    at += size;
  }
  return out;
}

}  // namespace

struct Tokenizer::Tables {
  std::shared_ptr<const Vocabulary> vocabulary;
};

Tokenizer::Tokenizer(Clean clean)
    : Tokenizer(std::make_shared<const Tables>(Tables{embedded_vocabulary()}), clean) {}

Tokenizer::Tokenizer(std::shared_ptr<const Tables> tables, Clean clean)
    : tables_(std::move(tables)), clean_(clean) {}

Tokenizer Tokenizer::from_folder(const std::filesystem::path& folder, Clean clean) {
  std::shared_ptr<const Vocabulary> vocabulary = read_vocabulary(folder);
  if (vocabulary == nullptr) return Tokenizer(clean);
  return {std::make_shared<const Tables>(Tables{std::move(vocabulary)}), clean};
}

Tokenizer Tokenizer::from_merges(std::string_view merges, const std::string& source, Clean clean) {
  return {std::make_shared<const Tables>(Tables{parse_merges(merges, source)}), clean};
}

std::string Tokenizer::own_merges() const {
  std::string merges = tables_->vocabulary->merges_text();
  return merges == embedded_vocabulary()->merges_text() ? "" : merges;
}

int64_t Tokenizer::vocab_size() const { return tables_->vocabulary->size(); }

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int32_t> ids;
  append_ids(*tables_->vocabulary, text, clean_, SIZE_MAX, ids);
  return ids;
}

std::vector<int32_t> Tokenizer::tokenize(std::string_view text, int64_t context_length) const {
  require(context_length >= 2, "context length ", context_length, ": start and end take 2");
  const Vocabulary& vocabulary = *tables_->vocabulary;
  const auto limit = static_cast<size_t>(context_length);
  std::vector<int32_t> ids{vocabulary.start()};
  append_ids(vocabulary, text, clean_, limit, ids);
  ids.resize(std::min(ids.size(), limit - 1));
  ids.push_back(vocabulary.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  const Vocabulary& vocabulary = *tables_->vocabulary;
  std::string bytes;
  for (const int32_t id : ids) {
    require(id >= 0 && id < vocabulary.size(), "token id ", id, " is outside the vocabulary of ",
            vocabulary.size());
    bytes += alphabet().to_bytes(vocabulary.token(id));
  }
  std::string out = replace_malformed(bytes);
  for (size_t at = 0; (at = out.find(kWordEnd, at)) != std::string::npos; ++at) {
    out.replace(at, kWordEnd.size(), " ");
  }
  return out;
}

}  // namespace clipnext::text

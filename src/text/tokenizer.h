// CLIP's byte-level BPE tokenizer, exact: strings to token ids and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace clipnext::text {

/// How text is cleaned before tokenizing; open_clip's names (spec: text cleaning, other modes).
enum class Clean : uint8_t { kLower, kWhitespace, kWhitespaceUnderscore, kCanonicalize };
Clean parse_clean(std::string_view name);

inline constexpr int32_t kStartOfText = 49406;
inline constexpr int32_t kEndOfText = 49407;

/// Immutable once made and safe to use from many threads.
class Tokenizer {
 public:
  /// The vocabulary inside the program.
  explicit Tokenizer(Clean clean = Clean::kLower);
  /// From `tokenizer.json`, or `vocab.json` + `merges.txt`, of a model folder; the embedded one if
  /// the folder has neither. Throws Error naming the file and the first entry that is wrong.
  static Tokenizer from_folder(const std::filesystem::path& folder, Clean clean = Clean::kLower);

  /// From merges, one `left right` a line, as own_merges gives them. Throws as from_folder.
  static Tokenizer from_merges(std::string_view merges, const std::string& source,
                               Clean clean = Clean::kLower);

  /// The merges of its vocabulary; empty if it is the one inside the program.
  std::string own_merges() const;

  /// Tokens with start and end; a model's token embedding has as many rows.
  int64_t vocab_size() const;

  /// Ids of the cleaned text without start, end or padding. Any bytes: invalid UTF-8 is an Error.
  std::vector<int32_t> encode(std::string_view text) const;

  /// [start, ids..., end], cut to context_length with the last id then the end token. Not padded:
  /// 2 <= size <= context_length.
  std::vector<int32_t> tokenize(std::string_view text, int64_t context_length = 77) const;

  /// For display: ids to text, end-of-word marks as spaces, special tokens by name. Throws Error on
  /// an id outside the vocabulary.
  std::string decode(std::span<const int32_t> ids) const;

 private:
  struct Tables;
  Tokenizer(std::shared_ptr<const Tables> tables, Clean clean);

  std::shared_ptr<const Tables> tables_;
  Clean clean_;
};

}  // namespace clipnext::text

// Tokens and merges of a byte-pair vocabulary in CLIP's form, from whichever file holds it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clipnext::text {

inline constexpr std::string_view kWordEnd = "</w>";
/// Ids below are the 256 bytes, then the bytes at the end of a word; merge i makes id 512 + i.
inline constexpr int32_t kByteTokens = 512;

/// Two symbols merged into one, as written in the file.
struct Merge {
  std::string_view left;
  std::string_view right;
};

/// Which pairs of tokens merge, in one flat hash table of 8 bytes a place.
class MergeTable {
 public:
  /// Room for `merges` entries; at most 2^21 tokens have room in its keys.
  explicit MergeTable(int64_t merges);

  /// False if the pair is there already.
  bool insert(int32_t left, int32_t right, int32_t rank);
  /// The pair's rank, or kNone.
  int32_t rank(int32_t left, int32_t right) const {
    const uint64_t key = pack(left, right);
    for (size_t place = hash(key);; place = (place + 1) & mask_) {
      const uint64_t entry = entries_[place];
      if (entry >> kRankBits == key) return static_cast<int32_t>(entry & kRankMask);
      if (entry == kEmpty) return kNone;
    }
  }

  /// The pairs in order of rank; the ranks are 0, 1, 2, ...
  std::vector<std::pair<int32_t, int32_t>> pairs() const;

  static constexpr int32_t kNone = INT32_MAX;
  static constexpr int64_t kMaxTokens = int64_t{1} << 21;

 private:
  static constexpr int kRankBits = 22;
  static constexpr uint64_t kRankMask = (uint64_t{1} << kRankBits) - 1;
  static constexpr uint64_t kEmpty = UINT64_MAX;
  static constexpr uint64_t kIdMask = (uint64_t{1} << 21) - 1;

  static uint64_t pack(int32_t left, int32_t right) {
    return static_cast<uint64_t>(left) << 21 | static_cast<uint64_t>(right);
  }
  size_t hash(uint64_t key) const { return (key * 0x9E3779B97F4A7C15U) >> shift_; }

  std::vector<uint64_t> entries_;
  size_t mask_;
  int shift_;
};

/// Tokens by id and back. Texts are as in vocabulary files: the alphabet's characters, `</w>` for
/// the end of a word.
class Vocabulary {
 public:
  /// The layout that CLIP fixes: bytes, bytes at a word's end, merges in order, start, end. Throws
  /// Error naming `source` and the first merge that repeats another or joins symbols not made yet.
  Vocabulary(const std::vector<Merge>& merges, const std::string& source);

  int32_t size() const { return static_cast<int32_t>(ends_.size()); }
  int32_t start() const { return size() - 2; }
  int32_t end() const { return size() - 1; }
  const MergeTable& merges() const { return merges_; }
  std::string_view token(int32_t id) const;
  std::optional<int32_t> find(std::string_view token) const;
  /// All that sets it apart: its merges as parse_merges reads them.
  std::string merges_text() const;

 private:
  size_t place(std::string_view token) const;
  void add(std::string_view left, std::string_view right);

  MergeTable merges_;
  std::string texts_;           // of all tokens, one after the other
  std::vector<uint32_t> ends_;  // of each token in texts_
  std::vector<int32_t> index_;  // hash table of ids by text, -1 where empty
};

/// The one inside the program, made on first use and shared.
std::shared_ptr<const Vocabulary> embedded_vocabulary();

/// From `tokenizer.json`, or `vocab.json` + `merges.txt`; null if the folder has neither. Throws
/// Error naming the file and the first entry that is not as CLIP's form wants it.
std::shared_ptr<const Vocabulary> read_vocabulary(const std::filesystem::path& folder);

/// The same from memory; `source` is what errors call the text.
struct SourceText {
  std::string text;
  std::string source;
};
std::shared_ptr<const Vocabulary> parse_tokenizer_json(std::string_view text,
                                                       const std::string& source);
std::shared_ptr<const Vocabulary> parse_merges(std::string_view text, const std::string& source);
std::shared_ptr<const Vocabulary> parse_merges_and_vocab(const SourceText& merges_file,
                                                         const SourceText& vocab_file);

}  // namespace clipnext::text

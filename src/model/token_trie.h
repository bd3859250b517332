// Texts in an order in which those that begin alike are neighbours. Read one after another, each
// adding what it does not share with the one before, they walk a trie of their prefixes, so that
// whoever computes position after position computes each distinct prefix once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace clipnext::model {

/// Rows of tokens, sorted, equal ones once.
class TokenTrie {
 public:
  struct Text {
    std::span<const int32_t> ids = {};
    int64_t shared = 0;                  // leading ids that the text before has too; fewer than ids
    std::span<const int64_t> rows = {};  // which of the rows this is, ascending

    int64_t added() const { return static_cast<int64_t>(ids.size()) - shared; }
  };

  TokenTrie() = default;
  explicit TokenTrie(std::span<const std::span<const int32_t>> rows) { build(rows); }

  /// Takes other rows, none of them empty; their ids must outlive the trie. Memory is kept.
  void build(std::span<const std::span<const int32_t>> rows);

  /// The distinct rows; no text's ids begin with all of a later one's.
  std::span<const Text> texts() const { return texts_; }
  /// Distinct prefixes, the empty one not counted.
  int64_t nodes() const { return nodes_; }

 private:
  std::vector<int64_t> order_;  // of the rows
  std::vector<Text> texts_;
  int64_t nodes_ = 0;
};

}  // namespace clipnext::model

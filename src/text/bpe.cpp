#include "text/bpe.h"

#include <algorithm>
#include <queue>

#include "text/alphabet.h"

namespace clipnext::text {
namespace {

constexpr size_t kMaxScanBytes = 64;

/// Id of byte i of the piece, before any merge.
int32_t byte_token(std::string_view piece, size_t i) {
  const int32_t id = alphabet().id(static_cast<unsigned char>(piece[i]));
  return i + 1 == piece.size() ? id + 256 : id;
}

}  // namespace

void append_bpe_by_scan(const Vocabulary& vocabulary, std::string_view piece,
                        std::vector<int32_t>& ids) {
  const MergeTable& merges = vocabulary.merges();
  const size_t first = ids.size();
  for (size_t i = 0; i < piece.size(); ++i) ids.push_back(byte_token(piece, i));
  int32_t* const symbols = ids.data() + first;
  size_t n = piece.size();
  std::vector<int32_t> long_ranks;
  int32_t short_ranks[kMaxScanBytes];
  if (n > kMaxScanBytes) long_ranks.resize(n);
  int32_t* const ranks = n > kMaxScanBytes ? long_ranks.data() : short_ranks;
  // ranks[i] is that of the pair (i, i + 1).
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = merges.rank(symbols[i], symbols[i + 1]);
  while (n > 1) {
    const size_t at = static_cast<size_t>(std::min_element(ranks, ranks + n - 1) - ranks);
    if (ranks[at] == MergeTable::kNone) break;
    symbols[at] = kByteTokens + ranks[at];
    std::copy(symbols + at + 2, symbols + n, symbols + at + 1);
    std::copy(ranks + std::min(at + 2, n - 1), ranks + n - 1, ranks + at + 1);
    --n;
    if (at > 0) ranks[at - 1] = merges.rank(symbols[at - 1], symbols[at]);
    if (at + 1 < n) ranks[at] = merges.rank(symbols[at], symbols[at + 1]);
  }
  ids.resize(first + n);
}

void append_bpe_by_heap(const Vocabulary& vocabulary, std::string_view piece,
                        std::vector<int32_t>& ids) {
  constexpr size_t kEnd = SIZE_MAX;
  struct Symbol {
    int32_t id;  // -1 once merged into the symbol on its left
    size_t previous;
    size_t next;
  };
  struct Candidate {
    int32_t rank;
    size_t left;
    bool operator<(const Candidate& other) const {  // the queue's top is its greatest
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const MergeTable& merges = vocabulary.merges();
  std::vector<Symbol> symbols(piece.size());
  for (size_t i = 0; i < symbols.size(); ++i) {
    symbols[i] = {byte_token(piece, i), i == 0 ? kEnd : i - 1,
                  i + 1 == symbols.size() ? kEnd : i + 1};
  }
  const auto rank_at = [&](size_t left) {
    const size_t right = symbols[left].next;
    return symbols[left].id < 0 || right == kEnd ? MergeTable::kNone
                                                 : merges.rank(symbols[left].id, symbols[right].id);
  };
  std::priority_queue<Candidate> queue;
  const auto propose = [&](size_t left) {
    if (left == kEnd) return;
    const int32_t rank = rank_at(left);
    if (rank != MergeTable::kNone) queue.push({rank, left});
  };
  for (size_t i = 0; i < symbols.size(); ++i) propose(i);
  while (!queue.empty()) {
    const auto [rank, left] = queue.top();
    queue.pop();
    if (rank_at(left) != rank) continue;  // one of the pair has been merged since
    const size_t right = symbols[left].next;
    symbols[left].id = kByteTokens + rank;
    symbols[left].next = symbols[right].next;
    symbols[right].id = -1;
    if (symbols[left].next != kEnd) symbols[symbols[left].next].previous = left;
    propose(symbols[left].previous);
    propose(left);
  }
  for (const Symbol& symbol : symbols) {
    if (symbol.id >= 0) ids.push_back(symbol.id);
  }
}

void append_bpe(const Vocabulary& vocabulary, std::string_view piece, std::vector<int32_t>& ids) {
  if (piece.size() <= kMaxScanBytes) {
    append_bpe_by_scan(vocabulary, piece, ids);
  } else {
    append_bpe_by_heap(vocabulary, piece, ids);
  }
}

}  // namespace clipnext::text

#include "model/token_trie.h"

#include <algorithm>
#include <numeric>

namespace clipnext::model {

void TokenTrie::build(std::span<const std::span<const int32_t>> rows) {
  order_.resize(rows.size());
  std::iota(order_.begin(), order_.end(), int64_t{0});
  const auto row = [&](int64_t i) { return rows[static_cast<size_t>(i)]; };
  std::sort(order_.begin(), order_.end(), [&](int64_t a, int64_t b) {
    const auto order = std::lexicographical_compare_three_way(row(a).begin(), row(a).end(),
                                                              row(b).begin(), row(b).end());
    return order < 0 || (order == 0 && a < b);
  });

  texts_.clear();
  nodes_ = 0;
  std::span<const int32_t> before;
  for (size_t i = 0; i < order_.size(); ++i) {
    const std::span<const int32_t> ids = row(order_[i]);
    const auto end = std::mismatch(ids.begin(), ids.end(), before.begin(), before.end()).first;
    const int64_t shared = end - ids.begin();
    if (shared == static_cast<int64_t>(ids.size())) {  // sorted, so it is the one before
      texts_.back().rows = {texts_.back().rows.data(), texts_.back().rows.size() + 1};
      continue;
    }
    texts_.push_back({.ids = ids, .shared = shared, .rows = {&order_[i], 1}});
    nodes_ += texts_.back().added();
    before = ids;
  }
}

}  // namespace clipnext::model

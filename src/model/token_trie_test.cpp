#include "model/token_trie.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace clipnext::model {
namespace {

using Row = std::vector<int32_t>;

std::vector<std::span<const int32_t>> spans(const std::vector<Row>& rows) {
  return {rows.begin(), rows.end()};
}

/// Every distinct prefix, the slow way.
size_t count_prefixes(const std::vector<Row>& rows) {
  std::set<Row> prefixes;
  for (const Row& row : rows) {
    for (auto end = row.begin(); end != row.end();) prefixes.emplace(row.begin(), ++end);
  }
  return prefixes.size();
}

TEST(TokenTrie, CountsWhatIsSharedWithTheTextBefore) {
  const std::vector<Row> rows = {{1, 5, 9}, {1, 2, 3, 9}, {1, 2, 9}, {1, 5, 9}, {1, 2}};
  const TokenTrie trie(spans(rows));
  const auto texts = trie.texts();
  ASSERT_EQ(texts.size(), 4U);
  const std::vector<std::vector<int64_t>> expected_rows = {{4}, {1}, {2}, {0, 3}};
  const std::vector<int64_t> expected_shared = {0, 2, 2, 1};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(texts[i].shared, expected_shared[i]);
    EXPECT_EQ(std::vector<int64_t>(texts[i].rows.begin(), texts[i].rows.end()), expected_rows[i]);
  }
  EXPECT_EQ(trie.nodes(), 7);
}

TEST(TokenTrie, HasOneNodeForEachDistinctPrefix) {
  std::mt19937 random(1);
  TokenTrie trie;
  for (int round = 0; round < 50; ++round) {
    std::vector<Row> rows(1 + random() % 40);
    for (Row& row : rows) {
      row.resize(1 + random() % 6);
      for (int32_t& id : row) id = static_cast<int32_t>(random() % 3);
    }
    trie.build(spans(rows));
    EXPECT_EQ(trie.nodes(), static_cast<int64_t>(count_prefixes(rows)));
    size_t found = 0;
    for (const auto& text : trie.texts()) {
      EXPECT_GT(text.added(), 0);
      for (const int64_t i : text.rows) {
        const Row& row = rows[static_cast<size_t>(i)];
        EXPECT_TRUE(std::equal(text.ids.begin(), text.ids.end(), row.begin(), row.end()));
        ++found;
      }
    }
    EXPECT_EQ(found, rows.size());
  }
}

TEST(TokenTrie, OfNoRowsIsEmpty) {
  const TokenTrie trie;
  EXPECT_TRUE(trie.texts().empty());
  EXPECT_EQ(trie.nodes(), 0);
}

}  // namespace
}  // namespace clipnext::model

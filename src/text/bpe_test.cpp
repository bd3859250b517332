#include "text/bpe.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace clipnext::text {
namespace {

using Ids = std::vector<int32_t>;

TEST(Bpe, MergesTheLowestRankFirstAndLeftmost) {
  const Vocabulary vocabulary({{"a", "b</w>"}, {"a", "a"}, {"aa", "ab</w>"}, {"aa", "a"}}, "test");
  const int32_t a = *vocabulary.find("a");
  const int32_t ab = kByteTokens;
  const int32_t aa = kByteTokens + 1;
  const std::pair<std::string_view, Ids> words[] = {
      {"a", {a + 256}},
      {"ab", {ab}},
      {"aab", {a, ab}},
      {"aaab", {kByteTokens + 2}},
      {"aaaab", {kByteTokens + 3, ab}},
      {"aaaa", {kByteTokens + 3, a + 256}},
      {"aaaaaac", {aa, aa, aa, *vocabulary.find("c</w>")}},
  };
  for (const auto& [word, expected] : words) {
    Ids ids;
    append_bpe(vocabulary, word, ids);
    EXPECT_EQ(ids, expected) << word;
  }
}

TEST(Bpe, ScanAndHeapAgree) {
  const auto vocabulary = embedded_vocabulary();
  std::mt19937 random(3);
  const std::string_view alphabets[] = {"a", "ab", "the", "etaoinshrdlu", "\x80\xE2\xF0\x9F\xA0z"};
  for (int round = 0; round < 2000; ++round) {
    const std::string_view letters = alphabets[random() % std::size(alphabets)];
    std::string piece;
    for (size_t n = 1 + random() % 150; n > 0; --n) piece += letters[random() % letters.size()];
    Ids scan;
    Ids heap;
    append_bpe_by_scan(*vocabulary, piece, scan);
    append_bpe_by_heap(*vocabulary, piece, heap);
    ASSERT_EQ(scan, heap) << piece;
  }
}

}  // namespace
}  // namespace clipnext::text

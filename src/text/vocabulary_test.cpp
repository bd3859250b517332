#include "text/vocabulary.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "text/alphabet.h"

namespace clipnext::text {
namespace {

std::string message_of(const std::vector<Merge>& merges) {
  try {
    const Vocabulary vocabulary(merges, "test");
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Vocabulary, HasClipsIds) {
  const auto vocabulary = embedded_vocabulary();
  ASSERT_EQ(vocabulary->size(), 49408);
  const std::pair<int32_t, std::string_view> tokens[] = {{0, "!"},
                                                         {93, "~"},
                                                         {94, "¡"},
                                                         {187, "ÿ"},
                                                         {188, "Ā"},
                                                         {255, "Ń"},
                                                         {256, "!</w>"},
                                                         {320, "a</w>"},
                                                         {512, "in"},
                                                         {513, "th"},
                                                         {514, "an"},
                                                         {515, "re"},
                                                         {2368, "cat</w>"},
                                                         {49405, "jekyll</w>"},
                                                         {49406, "<start_of_text>"},
                                                         {49407, "<end_of_text>"}};
  for (const auto& [id, token] : tokens) {
    EXPECT_EQ(vocabulary->token(id), token);
    EXPECT_EQ(vocabulary->find(token), id);
  }
  EXPECT_EQ(vocabulary->find("no such token"), std::nullopt);
}

TEST(Vocabulary, RanksMerges) {
  const auto vocabulary = embedded_vocabulary();
  const auto rank = [&](std::string_view left, std::string_view right) {
    return vocabulary->merges().rank(*vocabulary->find(left), *vocabulary->find(right));
  };
  EXPECT_EQ(rank("i", "n"), 0);
  EXPECT_EQ(rank("t", "h"), 1);
  EXPECT_EQ(rank("jeky", "ll</w>"), 48893);
  EXPECT_EQ(rank("n", "i"), 185) << "another pair than i n";
  EXPECT_EQ(rank("q", "q</w>"), MergeTable::kNone);
}

TEST(Vocabulary, NamesTheFirstMergeThatIsWrong) {
  EXPECT_EQ(message_of({{"a", "b"}, {"ab", "c</w>"}}), "");
  EXPECT_NE(message_of({{"a", "b"}, {"b", "cd"}}).find("merge 1 \"b cd\""), std::string::npos);
  EXPECT_NE(message_of({{"a", "b"}, {"a", "b"}}).find("merge 1 \"a b\""), std::string::npos);
  EXPECT_NE(message_of({{"a", "b"}, {"b", "c"}, {"ab", "c"}, {"a", "bc"}}).find("merge 3 \"a bc\""),
            std::string::npos);
}

TEST(Alphabet, IsABijection) {
  std::string bytes;
  std::string symbols;
  for (int byte = 0; byte < 256; ++byte) {
    bytes.push_back(static_cast<char>(byte));
    symbols += alphabet().symbol(alphabet().id(static_cast<unsigned char>(byte)));
  }
  EXPECT_EQ(alphabet().to_bytes(symbols), bytes);
  EXPECT_EQ(alphabet().id(0xAD), 255);
  EXPECT_EQ(alphabet().symbol(255), "Ń");
}

}  // namespace
}  // namespace clipnext::text

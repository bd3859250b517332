#include <gtest/gtest.h>

#include "datasets/names.h"
#include "eval/zero_shot.h"
#include "model/token_trie.h"
#include "pipeline/embed_texts.h"

namespace clipnext::eval {
namespace {

TEST(ImageNet, ItsPromptsShareMostOfTheirBeginnings) {
  const auto prompts =
      fill_templates(datasets::class_names("imagenet1k"), datasets::templates("imagenet1k"));
  ASSERT_EQ(prompts.size(), 80000U);
  const auto tokens = pipeline::tokenize_texts(text::Tokenizer(), 77, prompts);
  std::vector<std::span<const int32_t>> rows;
  int64_t used = 0;
  for (int64_t i = 0; i < tokens.rows.size(); ++i) {
    rows.push_back(tokens.rows.row(i));
    used += static_cast<int64_t>(rows.back().size());
  }
  const model::TokenTrie trie(rows);
  EXPECT_EQ(used, 769'212);
  EXPECT_EQ(trie.nodes(), 328'378);
  EXPECT_EQ(trie.texts().size(), 79'840U);  // two names occur twice
}

}  // namespace
}  // namespace clipnext::eval

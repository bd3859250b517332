#include "eval/imagenet.h"

#include <gtest/gtest.h>

#include <set>

#include "eval/zero_shot.h"
#include "model/token_trie.h"
#include "pipeline/embed_texts.h"

namespace clipnext::eval {
namespace {

TEST(ImageNet, HasTheNamesAndTemplatesOfTheReference) {
  const auto names = imagenet_class_names();
  ASSERT_EQ(names.size(), 1000U);
  EXPECT_EQ(names[0], "tench");
  EXPECT_EQ(names[999], "toilet paper");
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 998U);
  const auto templates = imagenet_templates();
  ASSERT_EQ(templates.size(), 80U);
  EXPECT_EQ(templates[0], "a bad photo of a {}.");
  EXPECT_EQ(templates[79], "a tattoo of the {}.");
}

TEST(ImageNet, ItsPromptsShareMostOfTheirBeginnings) {
  const auto prompts = fill_templates(imagenet_class_names(), imagenet_templates());
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

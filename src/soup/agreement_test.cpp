#include "soup/agreement.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/test_error.h"
#include "soup/test_ingredients.h"

namespace clipnext::soup {
namespace {

TEST(SoupAgreement, DifferencesAreNamedThreeWays) {
  auto changed = small_model(2);
  changed.erase("ln_final.weight");
  changed["visual.extra"] = weights::make_tensor({2}, values_of(1, 2));
  changed["token_embedding.weight"] = weights::make_tensor({71, 64}, values_of(1, 71 * 64));
  const std::vector<Ingredient> pot = {in_memory("a", small_model(1)), in_memory("b", changed)};
  EXPECT_EQ(message_of([&] { require_agreement(pot, {}); }),
            "these cannot be averaged\n"
            "  b: its tensors differ beside a:\n"
            "  missing (1):\n"
            "    ln_final.weight [64]\n"
            "  extra (1):\n"
            "    visual.extra [2]\n"
            "  wrong shape (1):\n"
            "    token_embedding.weight is [71, 64], the first has [70, 64]");
}

TEST(SoupAgreement, WhatIsNotAveragedNeedNotBeThere) {
  auto changed = small_model(2);
  changed.erase("ln_final.weight");
  changed["visual.extra"] = weights::make_tensor({2}, values_of(1, 2));
  const std::vector<Ingredient> pot = {in_memory("a", small_model(1)), in_memory("b", changed)};
  EXPECT_TRUE(disagreements(pot, {.exclude = {"ln_*", "visual.extra"}}).empty());
  EXPECT_TRUE(disagreements(pot, {.only = {"token*"}}).empty());
  EXPECT_FALSE(disagreements(pot, {.exclude = {"ln_*"}}).empty());
}

TEST(SoupAgreement, BuffersThatOnlySomeWritersKeepArePassedOver) {
  auto changed = small_model(2);
  changed["attn_mask"] = weights::make_tensor({2, 2}, values_of(1, 4));
  const std::vector<Ingredient> pot = {in_memory("a", small_model(1)), in_memory("b", changed)};
  EXPECT_TRUE(disagreements(pot, {}).empty());
}

TEST(SoupAgreement, AGlobThatFitsNothingIsAnError) {
  const Ingredient ingredient = in_memory("a", small_model(1));
  EXPECT_NE(message_of([&] {
              check_globs({.only = {"ln_finall.weight"}}, ingredient);
            }).find("did you mean ln_final.weight"),
            std::string::npos);
}

TEST(SoupAgreement, ConfigurationsMayDifferInImageSizeOnlyIfTheResultsIsGiven) {
  std::vector<Ingredient> pot = {in_memory("a", small_model(1)), in_memory("b", small_model(2))};
  pot[0].config = model::builtin_config("convnext_large_d");
  pot[1].config = model::builtin_config("convnext_large_d_320");
  const auto found = disagreements(pot, {});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].find("320 x 320"), std::string::npos);
  EXPECT_NE(found[0].find("--image-size"), std::string::npos);
  EXPECT_TRUE(disagreements(pot, {}, 320).empty());

  pot[1].config = model::builtin_config("convnext_base_w");
  const auto others = disagreements(pot, {}, 320);
  ASSERT_EQ(others.size(), 1U);
  EXPECT_NE(others[0].find("image tower: convnext_large, convnext_base"), std::string::npos);
  EXPECT_NE(others[0].find("text width: 768, 640"), std::string::npos);

  pot[1].config = pot[0].config;
  pot[1].config->preprocess.mean[1] = 0.5f;
  EXPECT_NE(disagreements(pot, {}).at(0).find("mean: "), std::string::npos);
}

TEST(SoupAgreement, VocabulariesMustBeTheSame) {
  const TestFolder folder;
  std::vector<Ingredient> pot = {in_memory("a", small_model(1)), in_memory("b", small_model(2))};
  for (size_t i = 0; i < 2; ++i) {
    pot[i].tokenizer_folder = folder / pot[i].name;
    std::filesystem::create_directories(pot[i].tokenizer_folder);
    write_file(pot[i].tokenizer_folder / "merges.txt", "a b\n");
  }
  EXPECT_TRUE(disagreements(pot, {}).empty());
  write_file(pot[1].tokenizer_folder / "merges.txt", "a c\n");
  EXPECT_NE(disagreements(pot, {}).at(0).find("merges.txt"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::soup

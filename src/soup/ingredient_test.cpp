#include "soup/ingredient.h"

#include <gtest/gtest.h>

#include "base/test_error.h"
#include "soup/test_ingredients.h"
#include "weights/torch_value.h"

namespace clipnext::soup {
namespace {

using weights::TorchValue;

TorchValue dict_of(const weights::TensorMap& tensors, const std::string& prefix) {
  TorchValue dict = weights::torch_dict(/*ordered=*/true);
  for (const auto& [name, tensor] : tensors) {
    dict.add(prefix + name, weights::torch_tensor(tensor));
  }
  return dict;
}

class SoupIngredient : public testing::Test {
 protected:
  // A training checkpoint as open_clip's trainer writes it.
  std::string training_checkpoint(const std::string& name, const weights::TensorMap& tensors,
                                  const weights::TensorMap* ema = nullptr) const {
    TorchValue root = weights::torch_dict();
    root.add("epoch", weights::torch_int(7));
    root.add("name", weights::torch_text("run"));
    root.add("state_dict", dict_of(tensors, "module."));
    TorchValue state = weights::torch_dict();
    state.add(int64_t{0}, dict_of(small_model(99), ""));
    TorchValue optimizer = weights::torch_dict();
    optimizer.add("state", std::move(state));
    root.add("optimizer", std::move(optimizer));
    if (ema != nullptr) root.add("state_dict_ema", dict_of(*ema, ""));
    weights::write_torch_values(folder_ / name, root);
    return (folder_ / name).string();
  }

  static void expect_same(const weights::TensorMap& found, const weights::TensorMap& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, tensor] : expected) {
      ASSERT_TRUE(found.contains(name)) << name;
      EXPECT_EQ(found.at(name).shape, tensor.shape) << name;
      EXPECT_EQ(bits(found.at(name)), bits(tensor)) << name;
    }
  }

  const TestFolder folder_;
};

TEST_F(SoupIngredient, TakesTheWeightsAloneOfATrainingCheckpoint) {
  const auto tensors = small_model(1);
  const Ingredient ingredient = open_ingredient(training_checkpoint("epoch_7.pt", tensors));
  expect_same(ingredient.tensors, tensors);
  EXPECT_EQ(ingredient.metadata.at("epoch"), "7");
  EXPECT_EQ(ingredient.name, "epoch_7.pt");
  EXPECT_FALSE(ingredient.config);
}

TEST_F(SoupIngredient, TakesTheAverageOverStepsOnlyIfAsked) {
  const auto tensors = small_model(1);
  const auto ema = small_model(2);
  const std::string path = training_checkpoint("with.pt", tensors, &ema);
  expect_same(open_ingredient(path).tensors, tensors);
  expect_same(open_ingredient(path, {.use_ema = true}).tensors, ema);
  const std::string without = training_checkpoint("without.pt", tensors);
  EXPECT_NE(message_of([&] {
              open_ingredient(without, {.use_ema = true});
            }).find("has no averaged weights"),
            std::string::npos);
}

TEST_F(SoupIngredient, BothLayoutsOfTheTextTowerAreOne) {
  auto tensors = small_model(1);
  weights::TensorMap custom;
  for (const auto& [name, tensor] : tensors) {
    const bool text = name.starts_with("token") || name.starts_with("ln_final");
    custom[(text ? "text." : "") + name] = tensor;
  }
  custom["logit_scale"].shape = {1};
  weights::write_safetensors(folder_ / "custom.safetensors", custom);
  const Ingredient ingredient = open_ingredient((folder_ / "custom.safetensors").string());
  EXPECT_TRUE(ingredient.text_prefix);
  expect_same(ingredient.tensors, tensors);
  EXPECT_EQ(dtype_of(ingredient), "float32");
  EXPECT_EQ(logit_scale_of(ingredient), 4.5);

  custom["ln_final.weight"] = tensors["ln_final.weight"];
  weights::write_safetensors(folder_ / "both.safetensors", custom);
  EXPECT_NE(message_of([&] {
              open_ingredient((folder_ / "both.safetensors").string());
            }).find("ln_final.weight is there with and without `text.`"),
            std::string::npos);
}

TEST_F(SoupIngredient, WhatIsNotThereIsNamed) {
  EXPECT_NE(message_of([] { open_ingredient("/nowhere/model.pt"); }).find("/nowhere/model.pt"),
            std::string::npos);
}

}  // namespace
}  // namespace clipnext::soup

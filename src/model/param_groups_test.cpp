// Groups and locking against open_clip's and timm's own (tests/data/model/training.json, made by
// tools/make_training_fixtures.py with the versions noted there).
#include "model/param_groups.h"

#include <gtest/gtest.h>

#include <set>

#include "base/checked.h"
#include "model/training_fixtures.h"

namespace clipnext::model {
namespace {

std::array<std::vector<ParamInfo>, 2> groups_of(const ClipConfig& config, DecayRule rule) {
  return decay_groups(config, ordered_params(config), rule);
}

std::string group_lines(const ClipConfig& config, DecayRule rule) {
  const auto groups = groups_of(config, rule);
  return lines_of(config, groups[0]) + "\n" + lines_of(config, groups[1]);
}

std::vector<int64_t> unlocked_numbers(const ClipConfig& config, bool image) {
  if (image && std::holds_alternative<ResNetConfig>(config.vision)) return {0};
  return {0, 1, 2, 3, 7, 1000};
}

std::string lock_lines(const ClipConfig& config, bool image) {
  std::string lines;
  for (const int64_t n : unlocked_numbers(config, image)) {
    Locking locking;
    (image ? locking.image : locking.text) = true;
    (image ? locking.image_unlocked_groups : locking.text_unlocked_groups) = n;
    lines += lines_of(config, trained_params(config, locking)) + "\n";
  }
  return lines;
}

std::set<std::string> locked(const std::string& model, const Locking& locking) {
  const ClipConfig config = builtin_config(model);
  std::set<std::string> names;
  for (const ParamInfo& info : ordered_params(config)) names.insert(info.name);
  for (const ParamInfo& info : trained_params(config, locking)) names.erase(info.name);
  return names;
}

int64_t count_elements(const std::vector<ParamInfo>& params) {
  int64_t sum = 0;
  for (const ParamInfo& info : params) sum += checked_numel(info.shape, "parameters");
  return sum;
}

TEST(DecayGroups, EqualTheReferencesForEveryConfigAndTimmVariant) {
  for (const TrainingFixture& fixture : training_fixtures()) {
    SCOPED_TRACE(fixture.config.name);
    EXPECT_EQ(hash_of(group_lines(fixture.config, DecayRule::kByName)),
              fixture.hashes.at("by_name"));
    EXPECT_EQ(hash_of(group_lines(fixture.config, DecayRule::kByModel)),
              fixture.hashes.at("by_model"));
  }
}

// The census of the specification (training, parameter groups).
// Spec: training.md section 10, item 5.
TEST(DecayGroups, HaveTheHeadlineModelsCensus) {
  for (const char* model : {"convnext_large_d", "convnext_large_d_320"}) {
    const ClipConfig config = builtin_config(model);
    const auto by_name = groups_of(config, DecayRule::kByName);
    EXPECT_EQ(by_name[0].size(), 362U);
    EXPECT_EQ(by_name[1].size(), 181U);
    EXPECT_EQ(count_elements(by_name[0]), 415'489);
    EXPECT_EQ(count_elements(by_name[1]), 351'357'120);
    const auto by_model = groups_of(config, DecayRule::kByModel);
    EXPECT_EQ(by_model[0].size(), 363U);
    EXPECT_EQ(by_model[1].size(), 180U);
    EXPECT_EQ(count_elements(by_model[0]), 474'625);
    EXPECT_EQ(count_elements(by_model[1]), 351'297'984);
  }
}

TEST(Locking, EqualsTheReferenceForEveryConfigAndTimmVariant) {
  for (const TrainingFixture& fixture : training_fixtures()) {
    SCOPED_TRACE(fixture.config.name);
    EXPECT_EQ(hash_of(lock_lines(fixture.config, true)), fixture.hashes.at("lock_image"));
    EXPECT_EQ(hash_of(lock_lines(fixture.config, false)), fixture.hashes.at("lock_text"));
  }
}

TEST(Locking, AGroupedHeadIsTheLastGroup) {
  const std::string model = "convnext_large_d_320";
  Locking locking{.image = true, .head = HeadLock::kGrouped};
  EXPECT_EQ(locked(model, locking).size(), 345U);  // the whole image tower
  locking.image_unlocked_groups = 1;
  EXPECT_EQ(locked(model, locking).size(), 342U);
  EXPECT_FALSE(locked(model, locking).contains("visual.head.mlp.fc1.weight"));
  EXPECT_TRUE(locked(model, locking).contains("visual.trunk.head.norm.weight"));
  locking.image_unlocked_groups = 39;
  EXPECT_TRUE(locked(model, locking).empty());
  locking.image_unlocked_groups = 38;
  EXPECT_EQ(locked(model, locking).size(), 4U);  // the stem
}

TEST(Locking, NeverTakesTheLogitScale) {
  const auto names = locked("ViT-B-32", {.image = true, .text = true});
  EXPECT_EQ(names.size(), 301U);
  EXPECT_FALSE(names.contains("logit_scale"));
}

TEST(Locking, RefusesWhatItCannotDo) {
  EXPECT_THROW(trained_params(builtin_config("RN50"), {.image = true, .image_unlocked_groups = 1}),
               Error);
  EXPECT_THROW(trained_params(builtin_config("ViT-B-32"), {.text_unlocked_groups = -1}), Error);
}

// 39 groups of the image tower and 18 of the text tower (spec: training, LLRD).
TEST(LayerGroups, GiveEachGroupItsShareOfTheLearningRate) {
  const auto scales = layer_lr_scales(builtin_config("convnext_large_d_320"), 0.5, 0.9);
  EXPECT_EQ(scales.at("visual.head.mlp.fc2.weight"), 1.0);
  EXPECT_EQ(scales.at("visual.trunk.head.norm.weight"), 0.5);
  EXPECT_EQ(scales.at("visual.trunk.stages.3.blocks.2.gamma"), 0.25);
  EXPECT_EQ(scales.at("visual.trunk.stem.0.weight"), std::pow(0.5, 38));
  EXPECT_EQ(scales.at("text_projection"), 1.0);
  EXPECT_EQ(scales.at("ln_final.weight"), 0.9);
  EXPECT_EQ(scales.at("token_embedding.weight"), std::pow(0.9, 17));
  EXPECT_FALSE(scales.contains("logit_scale"));
  EXPECT_THROW(layer_lr_scales(builtin_config("ViT-B-32"), 0.0, 1.0), Error);
  EXPECT_THROW(layer_lr_scales(builtin_config("ViT-B-32"), 0.5, 1.1), Error);
}

TEST(LayerGroups, AreWithoutGapsForEveryConfigAndTimmVariant) {
  for (const TrainingFixture& fixture : training_fixtures()) {
    std::map<bool, std::set<int>> found;
    for (const auto& [name, group] : layer_groups(fixture.config)) {
      found[name.starts_with("visual.")].insert(group);
    }
    for (const auto& [image, groups] : found) {
      EXPECT_EQ(*groups.begin(), 0) << fixture.config.name;
      EXPECT_EQ(*groups.rbegin() + 1, static_cast<int>(groups.size())) << fixture.config.name;
    }
  }
}

}  // namespace
}  // namespace clipnext::model

// The order of parameters against open_clip's own (tests/data/model/training.json, made by
// tools/make_training_fixtures.py with the versions noted there).
#include "model/param_order.h"

#include <gtest/gtest.h>

#include "model/training_fixtures.h"

namespace clipnext::model {
namespace {

TEST(ParamOrder, IsNamedParametersForEveryConfigAndTimmVariant) {
  for (const TrainingFixture& fixture : training_fixtures()) {
    SCOPED_TRACE(fixture.config.name);
    ClipConfig config = fixture.config;
    config.custom_text = false;
    EXPECT_EQ(hash_of(lines_of(config, ordered_params(config))), fixture.hashes.at("order"));
    config.custom_text = true;
    EXPECT_EQ(hash_of(lines_of(config, ordered_params(config))), fixture.hashes.at("custom_order"));
  }
}

TEST(ParamOrder, BeginsWithTheRootsOwn) {
  const auto params = ordered_params(builtin_config("convnext_large_d_320"));
  ASSERT_EQ(params.size(), 543U);
  EXPECT_EQ(params[0].name, "positional_embedding");
  EXPECT_EQ(params[1].name, "text_projection");
  EXPECT_EQ(params[2].name, "logit_scale");
  EXPECT_EQ(params[3].name, "visual.trunk.stem.0.weight");
  EXPECT_EQ(params.back().name, "ln_final.bias");
}

TEST(ParamOrder, StatisticsAreTensorsButNotParameters) {
  const ClipConfig config = builtin_config("RN50");
  const auto tensors = ordered_tensors(config);
  const auto params = ordered_params(config);
  EXPECT_EQ(tensors.size() - params.size(), 2U * 55U);  // 55 batch norms
  for (const ParamInfo& info : params) EXPECT_NE(info.role, Role::kStatistic) << info.name;
}

TEST(ParamOrder, CheckpointsOfCustomTextModelsNameTheTower) {
  ClipConfig config = builtin_config("ViT-B-32");
  EXPECT_EQ(checkpoint_name(config, "ln_final.bias"), "ln_final.bias");
  config.custom_text = true;
  EXPECT_EQ(checkpoint_name(config, "ln_final.bias"), "text.ln_final.bias");
  EXPECT_EQ(checkpoint_name(config, "visual.proj"), "visual.proj");
  EXPECT_EQ(checkpoint_name(config, "logit_scale"), "logit_scale");
}

}  // namespace
}  // namespace clipnext::model

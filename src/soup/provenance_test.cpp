#include "soup/provenance.h"

#include <gtest/gtest.h>

#include "soup/config_file.h"
#include "soup/test_ingredients.h"

namespace clipnext::soup {
namespace {

TEST(SoupProvenance, SaysWhatASoupWasMadeOf) {
  std::vector<Ingredient> pot = {in_memory("a", small_model(1)), in_memory("b", small_model(2))};
  pot[0].metadata = {{"epoch", "12"}, {"name", "run a"}};
  pot[0].config = model::builtin_config("convnext_large_d_320");
  Provenance provenance{.version = "1.2.3", .recipe = "weighted"};
  provenance.sha256 = {"aa", "bb"};
  provenance.scores = {{{"acc1", 0.5}}, {{"acc1", 0.25}}};
  provenance.result_scores = {{"acc1", 0.75}};
  provenance.evaluator = "held-out";
  provenance.metric = "acc1";
  provenance.output_sha256 = "cc";
  const Plan plan = make_plan(pot, {.weights = {0.25, 0.75}}, nullptr);
  EXPECT_EQ(provenance_json(provenance, plan, pot).dump(),
            R"({"clipnext":"1.2.3","recipe":"weighted","accumulate":"f64","ingredients":[)"
            R"({"name":"a","dtype":"float32","epoch":"12","declared_name":"run a",)"
            R"("logit_scale":4.5,"image_size":320,"sha256":"aa","weight":0.25,)"
            R"("scores":{"acc1":0.5}},)"
            R"({"name":"b","dtype":"float32","logit_scale":4.5,"sha256":"bb","weight":0.75,)"
            R"("scores":{"acc1":0.25}}],"logit_scale":4.5,"evaluator":"held-out",)"
            R"("metric":"acc1","scores":{"acc1":0.75},"sha256":"cc"})");
}

TEST(SoupConfigFile, HasPreprocessingWrittenOutAndTheImageSizeAskedFor) {
  const std::string bare(model::builtin_config_json("convnext_large_d"));
  const OrderedJson json = config_file(bare, "test", 320);
  EXPECT_EQ(json["model_cfg"]["vision_cfg"]["image_size"], 320);
  EXPECT_EQ(json["model_cfg"]["embed_dim"], 768);
  EXPECT_EQ(json["preprocess_cfg"].dump(),
            R"({"mean":[0.48145466,0.4578275,0.40821073],)"
            R"("std":[0.26862954,0.26130258,0.27577711],)"
            R"("interpolation":"bicubic","resize_mode":"shortest"})");
  const OrderedJson again = config_file(json.dump(), "test", {});
  EXPECT_EQ(again, json);
}

}  // namespace
}  // namespace clipnext::soup

#include "run/names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "base/text_lines.h"
#include "run/fixtures_test.h"
#include "run/parse_options.h"

namespace clipnext::run {
namespace {

TEST(Names, AutomaticNamesAreTheReferences) {
  setenv("TZ", "UTC", 1);
  const std::vector<std::string> line = {"--model",      "hf/ViT-B-32", "--lr",      "5e-5",
                                         "--batch-size", "256",         "--workers", "6",
                                         "--precision",  "amp_bf16"};
  // 2023-02-11 17:05:09 UTC.
  EXPECT_EQ(automatic_name(parse_options(line).options, 1676135109),
            "2023_02_11-17_05_09-model_hf-ViT-B-32-lr_5e-05-b_256-j_6-p_amp_bf16");
  const std::vector<std::string> timm = {"--opt", "timm/lamb"};
  EXPECT_NE(automatic_name(parse_options(timm).options, 0).find("-lr_None-b_64"),
            std::string::npos);
  const std::vector<std::string> milli = {"--lr", "0.001"};
  EXPECT_NE(automatic_name(parse_options(milli).options, 0).find("-lr_0.001-"), std::string::npos);
}

// tests/data/run/params.txt is what open_clip_train 3.3.0 wrote, run with these arguments.
TEST(Names, ParamsHoldEveryLineOfTheReferences) {
  const std::vector<std::string> line = {"--model",
                                         "ViT-S-32-alt",
                                         "--train-data",
                                         "small.tar",
                                         "--val-data",
                                         "small.tar",
                                         "--train-num-samples",
                                         "40",
                                         "--batch-size",
                                         "8",
                                         "--epochs",
                                         "2",
                                         "--workers",
                                         "1",
                                         "--precision",
                                         "fp32",
                                         "--device",
                                         "cpu",
                                         "--lr",
                                         "5e-5",
                                         "--beta2",
                                         "0.98",
                                         "--warmup",
                                         "3",
                                         "--aug-cfg",
                                         "use_timm=True",
                                         "scale=(0.5, 1.0)",
                                         "re_prob=0.4",
                                         "--image-interpolation",
                                         "random",
                                         "--image-mean",
                                         "0.5",
                                         "0.5",
                                         "0.5",
                                         "--force-image-size",
                                         "64",
                                         "--grad-clip-norm",
                                         "5.0",
                                         "--log-every-n-steps",
                                         "2",
                                         "--logs",
                                         "logs",
                                         "--name",
                                         "first",
                                         "--seed",
                                         "0"};
  const std::string text =
      params_text(parse_options(line).options,
                  {.log_path = "logs/first/out.log", .checkpoint_path = "logs/first/checkpoints"});
  const std::vector<std::string> ours = split_lines(text);
  EXPECT_TRUE(std::is_sorted(ours.begin(), ours.end()));
  const std::vector<std::string> reference = split_lines(fixture_text("params.txt"));
  EXPECT_GT(reference.size(), 100U);
  for (const std::string& expected : reference) {
    EXPECT_NE(std::find(ours.begin(), ours.end(), expected), ours.end()) << expected;
  }
}

}  // namespace
}  // namespace clipnext::run

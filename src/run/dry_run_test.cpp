#include "run/dry_run.h"

#include <gtest/gtest.h>

#include "run/fixtures_test.h"
#include "run/parse_options.h"
#include "run/training_config.h"

namespace clipnext::run {
namespace {

DryRun headline(const std::string& recipe) {
  const std::vector<std::string> line = {"--recipe", recipe};
  const TrainOptions options = parse_options(line).options;
  return dry_run(options, training_config(options),
                 {.world = 512, .num_samples = *options.train_num_samples, .shards = 231'350});
}

TEST(DryRun, TheHeadlinesRunsHaveTheirSteps) {
  for (const auto& [recipe, steps] : {std::pair("convnext-large-320-1e-4", 24'864),
                                      {"convnext-large-320-6e-5", 15'540},
                                      {"convnext-large-320-5e-5", 18'648}}) {
    const DryRun run = headline(recipe);
    EXPECT_EQ(run.epoch.batches, 1554) << recipe;
    EXPECT_EQ(run.epoch.samples, 203'685'888);
    EXPECT_EQ(run.total_steps, steps);
    EXPECT_EQ(run.global_batch, 131'072);
    EXPECT_EQ(run.parameters, 351'772'609);
    EXPECT_EQ(run.tensors, 543);
  }
}

// spec training.md 3.5 and 4.4, in decimal megabytes.
TEST(DryRun, MemoryAndTrafficAreTheSpecifications) {
  const DryRun run = headline("convnext-large-320-5e-5");
  EXPECT_EQ(run.memory.weights / 1'000'000, 1407);
  EXPECT_EQ(run.memory.moments / 1'000'000, 2814);
  EXPECT_EQ(run.traffic.features / 1'000'000, 803);  // 805 less the own part
  EXPECT_NEAR(static_cast<double>(run.traffic.weight_gradients), 2 * 1.407e9, 1e7);
  // Inputs of the image tower's blocks: 57.1 MB an image; those of the text tower's 3.8 MB.
  EXPECT_NEAR(static_cast<double>(run.memory.activations) / 256, 57.1e6 + 3.8e6, 0.2e6);
  EXPECT_EQ(run.memory.shuffle, int64_t{5000} * 6 * 60'000);
}

TEST(DryRun, ATeacherTakesItsWeightsAndItsFeatures) {
  const auto plan = [](std::vector<std::string> more) {
    std::vector<std::string> line = {"--model", "RN50", "--batch-size", "64"};
    line.insert(line.end(), more.begin(), more.end());
    const TrainOptions options = parse_options(line).options;
    return dry_run(options, training_config(options),
                   {.world = 2, .num_samples = 12'800, .streamed = false});
  };
  const DryRun alone = plan({});
  const DryRun taught = plan({"--distill-model", "ViT-B-32", "--distill-pretrained", "x.pt"});
  EXPECT_EQ(taught.parameters, alone.parameters);
  EXPECT_EQ(taught.memory.weights - alone.memory.weights, int64_t{151'277'313} * 4);
  EXPECT_EQ(taught.memory.gradients, alone.memory.gradients);
  EXPECT_EQ(alone.traffic.features, int64_t{64} * 1024 * 2 * 4);
  EXPECT_EQ(taught.traffic.features, int64_t{64} * (1024 + 512) * 2 * 4);
}

TEST(DryRun, LearningRatesAreOfTheWholeRun) {
  const DryRun run = headline("convnext-large-320-5e-5");
  ASSERT_GE(run.lr.size(), 4U);
  EXPECT_EQ(run.lr.front().step, 0);
  EXPECT_DOUBLE_EQ(run.lr.front().lr, 2.5e-8);
  EXPECT_EQ(run.lr[1].step, 1999);
  EXPECT_EQ(run.lr.back().step, 18'647);
}

TEST(DryRun, IsPrintedForPeopleAndPrograms) {
  const DryRun run = headline("convnext-large-320-5e-5");
  const std::string text = dry_run_text(run);
  for (const char* part : {"1,554", "203,685,888", "18,648", "351,772,609", "1.41 GB"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_EQ(dry_run_json(run)["steps"], 18'648);
}

TEST(DryRun, TooFewShardsAreAnError) {
  const std::vector<std::string> line = {"--model", "RN50", "--workers", "4"};
  const TrainOptions options = parse_options(line).options;
  const auto config = training_config(options);
  const DryRunInput few{.world = 4, .num_samples = 10'000, .shards = 15};
  EXPECT_NE(message_of([&] { dry_run(options, config, few); }).find("15 shards for 16 workers"),
            std::string::npos);
  EXPECT_EQ(
      dry_run(options, config, {.world = 4, .num_samples = 10'000, .shards = 16}).shards_per_worker,
      1);
  EXPECT_EQ(dry_run(options, config, {.num_samples = 1000, .streamed = false}).epoch.batches, 15);
}

TEST(TrainingConfig, LaysTheCommandLineOverTheModel) {
  const auto config = [](const std::vector<std::string>& line) {
    return training_config(parse_options(line).options);
  };
  const auto plain = config({"--model", "convnext_base", "--force-image-size", "128",
                             "--image-mean", "0.5", "--image-interpolation", "bilinear", "--siglip",
                             "--force-context-length", "32", "--force-drop-path", "0.25"});
  EXPECT_EQ(plain.image_width, 128);
  EXPECT_EQ(plain.preprocess.height, 128);
  EXPECT_EQ(plain.preprocess.mean[2], 0.5f);
  EXPECT_EQ(plain.preprocess.interpolation, image::Filter::kBilinear);
  EXPECT_TRUE(plain.has_logit_bias);
  EXPECT_NEAR(plain.init_logit_scale, 2.302585, 1e-6);
  EXPECT_EQ(plain.init_logit_bias, -10);
  EXPECT_EQ(plain.text.context_length, 32);
  EXPECT_EQ(std::get<model::ConvNextConfig>(plain.vision).drop_path, 0.25f);
  EXPECT_EQ(config({"--recipe", "emoji-atto"}).embed_dim, 128);
  EXPECT_EQ(config({"--model", "ViT-B-32", "--force-image-size", "96", "64",
                    "--force-patch-dropout", "0.5"})
                .image_height,
            96);
  EXPECT_THROW(config({"--model", "RN50", "--force-patch-dropout", "0.5"}), UsageError);
  EXPECT_THROW(config({"--model", "ViT-B-32", "--force-drop-path", "0.5"}), UsageError);
  EXPECT_THROW(config({"--model", "convnext_bse"}), Error);
}

}  // namespace
}  // namespace clipnext::run

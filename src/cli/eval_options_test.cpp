#include "cli/eval_options.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace clipnext::cli {
namespace {

EvalOptions parse(std::vector<std::string> args) {
  CLI::App app;
  EvalOptions options;
  add_eval_options(app, options);
  std::ranges::reverse(args);  // as CLI11 wants a vector
  app.parse(args);
  settle_eval_options(options);
  return options;
}

using Words = std::vector<std::string>;

TEST(EvalOptions, DefaultsAreClipBenchmarks) {
  const EvalOptions o = parse({});
  EXPECT_EQ(o.runs.dataset, Words{"cifar10"});
  EXPECT_EQ(o.runs.dataset_root, "root");
  EXPECT_EQ(o.split, "test");
  EXPECT_EQ(o.runs.train_split, Words{"train"});
  EXPECT_TRUE(o.runs.val_split.empty());
  EXPECT_TRUE(o.runs.val_proportion.empty());
  EXPECT_EQ(o.runs.model, Words{"ViT-B-32-quickgelu"});
  EXPECT_EQ(o.runs.pretrained, Words{"laion400m_e32"});
  EXPECT_TRUE(o.runs.pretrained_model.empty());
  EXPECT_EQ(o.runs.task, "auto");
  EXPECT_EQ(o.num_workers, 4);
  EXPECT_EQ(o.task.recall_k, std::vector<int64_t>{5});
  EXPECT_EQ(o.task.fewshot_k, -1);
  EXPECT_EQ(o.task.fewshot_epochs, 10);
  EXPECT_EQ(o.task.fewshot_lr, 0.1);
  EXPECT_FALSE(o.skip_load);
  EXPECT_FALSE(o.distributed);
  EXPECT_EQ(o.task.seed, 0);
  EXPECT_EQ(o.task.batch_size, 64);
  EXPECT_TRUE(o.task.normalize);
  EXPECT_EQ(o.model_cache_dir, "");
  EXPECT_EQ(o.task.feature_root, "features");
  EXPECT_EQ(o.annotation_file, "");
  EXPECT_EQ(o.custom_classname_file, "");
  EXPECT_EQ(o.custom_template_file, "");
  EXPECT_FALSE(o.dump_classnames);
  EXPECT_FALSE(o.dump_templates);
  EXPECT_EQ(o.runs.language, Words{"en"});
  EXPECT_EQ(o.runs.output, "{dataset}_{pretrained}_{model}_{language}_{task}.json");
  EXPECT_FALSE(o.task.quiet);
  EXPECT_EQ(o.task.save_clf, "");
  EXPECT_TRUE(o.task.load_clfs.empty());
  EXPECT_FALSE(o.skip_existing);
  EXPECT_EQ(o.model_type, "open_clip");
  EXPECT_EQ(o.wds_cache_dir, "");
}

TEST(EvalOptions, EveryOneIsTakenAsClipBenchmarkSpellsIt) {
  const EvalOptions o = parse({"--dataset",
                               "a",
                               "b",
                               "--dataset_root",
                               "r",
                               "--test_split",
                               "val",
                               "--model",
                               "M",
                               "N",
                               "--pretrained",
                               "p",
                               "q",
                               "--pretrained_model",
                               "M,p",
                               "openai",
                               "--task",
                               "linear_probe",
                               "--no_amp",
                               "--num_workers",
                               "0",
                               "--recall_k",
                               "1",
                               "5",
                               "10",
                               "--fewshot_k",
                               "16",
                               "--fewshot_epochs",
                               "20",
                               "--fewshot_lr",
                               "0.5",
                               "--skip_load",
                               "--distributed",
                               "--seed",
                               "3",
                               "--batch_size",
                               "512",
                               "--normalize",
                               "False",
                               "--model_cache_dir",
                               "c",
                               "--feature_root",
                               "f",
                               "--annotation_file",
                               "n",
                               "--custom_classname_file",
                               "k",
                               "--custom_template_file",
                               "t",
                               "--dump_classnames",
                               "--dump_templates",
                               "--language",
                               "en",
                               "it",
                               "--output",
                               "o",
                               "--quiet",
                               "--save_clf",
                               "s",
                               "--load_clfs",
                               "x",
                               "y",
                               "--skip_existing",
                               "--model_type",
                               "open_clip",
                               "--wds_cache_dir",
                               "w",
                               "--train_split",
                               "t1",
                               "t2",
                               "--val_proportion",
                               "0.1",
                               "0.2"});
  EXPECT_EQ(o.runs.dataset, (Words{"a", "b"}));
  EXPECT_EQ(o.split, "val");
  EXPECT_EQ(o.runs.model, (Words{"M", "N"}));
  EXPECT_EQ(o.runs.pretrained_model, (Words{"M,p", "openai"}));
  EXPECT_EQ(o.precision, "fp32");
  EXPECT_EQ(o.task.recall_k, (std::vector<int64_t>{1, 5, 10}));
  EXPECT_EQ(o.task.fewshot_k, 16);
  EXPECT_EQ(o.task.fewshot_lr, 0.5);
  EXPECT_FALSE(o.task.normalize);
  EXPECT_EQ(o.task.load_clfs, (Words{"x", "y"}));
  EXPECT_EQ(o.runs.train_split, (Words{"t1", "t2"}));
  EXPECT_EQ(o.runs.val_proportion, (std::vector<double>{0.1, 0.2}));
  EXPECT_TRUE(o.task.quiet && o.skip_existing && o.distributed && o.skip_load);
}

TEST(EvalOptions, ProcessesThatAskForAGpuTakeThatOfTheirRank) {
  const run::Environment third = {
      {"WORLD_SIZE", "4"}, {"RANK", "2"}, {"LOCAL_RANK", "2"}, {"MASTER_ADDR", "x"}};
  EXPECT_EQ(eval_device(parse({}), third), "cpu");
  EXPECT_EQ(eval_device(parse({"--device", "cuda"}), third), "cuda");
  EXPECT_EQ(eval_device(parse({"--device", "cuda", "--distributed"}), third), "cuda:2");
  EXPECT_EQ(eval_device(parse({"--device", "cuda", "--distributed"}), {}), "cuda:0");
  EXPECT_EQ(eval_device(parse({"--device", "cuda:1", "--distributed"}), third), "cuda:1");
  EXPECT_EQ(eval_device(parse({"--distributed"}), third), "cpu");
}

TEST(EvalOptions, StrictReferenceTakesAnyTextForTrue) {
  EXPECT_FALSE(parse({"--normalize", "0"}).task.normalize);
  EXPECT_TRUE(parse({"--normalize", "False", "--strict_reference"}).task.normalize);
  EXPECT_THROW(parse({"--normalize", "perhaps"}), CLI::ValidationError);
}

TEST(EvalOptions, ContradictionsAreRefused) {
  EXPECT_THROW(parse({"--no_amp", "--precision", "bf16"}), CLI::ValidationError);
  EXPECT_THROW(parse({"--skip_load"}), CLI::ValidationError);
  EXPECT_THROW(parse({"--val_split", "v", "--val_proportion", "0.1"}), CLI::ParseError);
  EXPECT_THROW(parse({"--precision", "fp16"}), CLI::ParseError);
  EXPECT_THROW(parse({"--model_type", "ja_clip"}), CLI::ParseError);
}

}  // namespace
}  // namespace clipnext::cli

#include "run/parse_options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/test_folder.h"
#include "run/fixtures_test.h"
#include "run/names.h"
#include "run/option_table.h"

namespace clipnext::run {
namespace {

using Line = std::vector<std::string>;

TrainOptions parse(const Line& line) { return parse_options(line).options; }

std::string complaint(const Line& line) {
  try {
    parse_options(line);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no complaint";
}

void expect_complaint(const Line& line, const std::vector<std::string>& parts) {
  const std::string text = complaint(line);
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(ParseOptions, EveryCommandLineMeansWhatItMeansToTheReference) {
  for (const Json& one : fixture("options.json")["accepted"]) {
    const auto line = one["arguments"].get<Line>();
    const auto ours = params(parse(line), {.device = "cuda"});
    const std::map<std::string, std::string> values(ours.begin(), ours.end());
    for (const auto& [name, value] : one["params"].items()) {
      ASSERT_TRUE(values.contains(name)) << name;
      // The one value that the reference's program, not its parser, changes: one side is no list.
      const bool side = name == "force_image_size" && value == "[320]";
      EXPECT_EQ(values.at(name), side ? "320" : value.get<std::string>())
          << name << " of " << one["arguments"];
    }
  }
}

TEST(ParseOptions, WhatTheReferenceRefusesIsRefused) {
  for (const Json& line : fixture("options.json")["refused"]) {
    EXPECT_NE(complaint(line.get<Line>()), "no complaint") << line;
  }
}

TEST(ParseOptions, ErrorsSayWhatWasExpected) {
  expect_complaint({"--epochs", "3.5"}, {"--epochs 3.5", "whole number"});
  expect_complaint({"--precision", "int8"}, {"--precision int8", "amp_bf16", "fp32"});
  expect_complaint({"--lr", "--wd", "1"}, {"--lr needs a value", "--wd"});
  expect_complaint({"--save", "1"}, {"--save-frequency", "--save-most-recent"});
  expect_complaint({"--batch_size", "8"}, {"no option --batch_size", "--batch-size"});
  expect_complaint({"--debug=1"}, {"--debug takes no value"});
  expect_complaint({"--batch-size", "0"}, {"--batch-size 0", "at least 1"});
  expect_complaint({"--ema-decay", "1.5"}, {"at most 1"});
  expect_complaint({"--aug-cfg", "scael=(0.5, 1.0)"}, {"scael", "scale"});
  expect_complaint({"--aug-cfg", "scale=0.5"}, {"scale=0.5"});
  expect_complaint({"--seed", "1", "2"}, {"\"2\" belongs to no option", "behind 1"});
  expect_complaint({"--dataset-type", "webdataset-audio"}, {"sound"});
}

// A value for each kind of field, other than any default.
std::vector<std::string> sample_values(const OptionRow& row) {
  const std::map<std::string_view, std::vector<std::string>> special = {
      {"aug-cfg", {"re_count=3", "use_timm=True"}},
      {"opt", {"nadamw"}},
      {"recipe", {"emoji-atto"}},
      {"opt-kwargs", {"a=1"}},
      {"name", {"n"}},
      {"opt-fallback-list", {"*.x"}}};
  if (const auto found = special.find(row.name); found != special.end()) return found->second;
  if (!row.choices.empty()) {
    const std::string now = python_text(row, {});
    for (const std::string_view choice : row.choices) {
      if (choice != now && choice != "synthetic" && choice != "const-cooldown") {
        return {std::string(choice)};
      }
    }
  }
  return {"0.625", "0.5"};
}

// What else must be said for an option to be taken.
Line companions(std::string_view name) {
  if (name == "train-data-upsampling-factors")
    return {"--train-data", "a.tar", "--dataset-resampled"};
  if (name == "json-text-key-probs") return {"--json-text-key", "a"};
  if (name == "lock-image-unlocked-groups") return {"--lock-image"};
  if (name == "lock-text-unlocked-layers") return {"--lock-text"};
  if (name == "distill-model") return {"--distill-pretrained", "x"};
  if (name == "distill-pretrained") return {"--distill-model", "x"};
  if (name == "opt-fallback-list") return {"--opt", "timm/muon"};
  return {};
}

TEST(ParseOptions, EveryOptionChangesItsField) {
  for (const OptionRow& row : option_table()) {
    Line line = companions(row.name);
    const std::string before = python_text(row, parse({}));
    const std::string name = "--" + std::string(row.name);
    if (std::holds_alternative<bool TrainOptions::*>(row.field)) {
      line.push_back(before == "True" ? "--no-" + std::string(row.name) : name);
    } else {
      const bool whole =
          std::holds_alternative<int64_t TrainOptions::*>(row.field) ||
          std::holds_alternative<std::optional<int64_t> TrainOptions::*>(row.field) ||
          std::holds_alternative<std::vector<int64_t> TrainOptions::*>(row.field);
      std::vector<std::string> values = whole ? Line{"7"} : sample_values(row);
      const bool many = std::holds_alternative<KeyValues TrainOptions::*>(row.field);
      if (!many) values.resize(1);
      line.push_back(name);
      line.insert(line.end(), values.begin(), values.end());
    }
    EXPECT_NE(python_text(row, parse(line)), before) << row.name;
  }
}

TEST(ParseOptions, NamesAreUnique) {
  std::set<std::string_view> names = {"help"};
  for (const OptionRow& row : option_table())
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
  for (const auto& alias : option_aliases()) EXPECT_TRUE(names.insert(alias.name).second);
  for (const auto& refused : refused_options()) {
    EXPECT_TRUE(names.insert(refused.name).second) << refused.name;
  }
}

TEST(ParseOptions, RefusedOptionsSayWhy) {
  for (const RefusedOption& refused : refused_options()) {
    expect_complaint({"--" + std::string(refused.name), "1"},
                     {"--" + std::string(refused.name), std::string(refused.reason)});
  }
  expect_complaint({"--horovod"}, {"torchrun"});
  // As a beginning too.
  expect_complaint({"--audio-fi", "x"}, {"sound"});
}

TEST(ParseOptions, AbbreviationsMeanWhatTheyMeanToTheReference) {
  // --accum-fix-scale and --accum-freq are two here, one there.
  EXPECT_EQ(parse({"--accum-f", "3"}).accum_freq, 3);
  EXPECT_TRUE(parse({"--accum-fi"}).accum_fix_scale);
  EXPECT_TRUE(parse({"--no-set"}).no_set_device_rank);
  EXPECT_TRUE(parse({"--no-aug"}).no_augment);
  EXPECT_EQ(parse({"--snap", "2.5"}).snapshot_minutes, 2.5);
}

TEST(ParseOptions, TheCardsOwnNamesAreTaken) {
  EXPECT_EQ(parse({"--clip-grad-norm", "5.0"}).grad_clip_norm, 5.0);
  EXPECT_EQ(parse({"--norm_gradient_clip=5"}).grad_clip_norm, 5.0);
  EXPECT_EQ(parse({"--visual-layer-decay", "0.5"}).image_layer_decay, 0.5);
}

TEST(ParseOptions, TheCardsDefectsAreExplained) {
  // As a shell leaves --pretrained ""/runs/x/epoch_128.pt" --resume 'latest'
  // --train-data="pipe:aws.
  expect_complaint({"--pretrained", "/runs/x/epoch_128.pt --resume 'latest' --train-data=pipe:aws"},
                   {"--pretrained", "goes on to --resume", "\"\"/runs/"});
  expect_complaint({"--pretrained", "\"/runs/x/epoch_128.pt"}, {"quotation mark without its pair"});
  expect_complaint({"--train-data", "pipe:aws s3 cp s3://b/{laion{00000..xxxxx}.tar -",
                    "--dataset-type", "webdataset"},
                   {"--train-data", "the { at character 23 is never closed"});
  expect_complaint({"--train-data", "a{0..3}}.tar"}, {"the } at character 8 closes no {"});
  EXPECT_EQ(parse({"--train-data", "a\\{b.tar"}).train_data, "a\\{b.tar");
  EXPECT_EQ(parse({"--train-data", "a{b.csv"}).train_data, "a{b.csv");
  EXPECT_EQ(parse({"--wandb-notes", "with \" and --lr 1"}).wandb_notes, "with \" and --lr 1");
}

TEST(ParseOptions, HyperParametersFollowFromTheModelsName) {
  const TrainOptions vit = parse({"--model", "ViT-B-32"});
  EXPECT_EQ(vit.lr, 5e-4);
  EXPECT_EQ(vit.beta2, 0.98);
  EXPECT_EQ(vit.eps, 1e-6);
  const TrainOptions convnext = parse({"--model", "convnext_base", "--beta1", "0.8"});
  EXPECT_EQ(convnext.beta1, 0.8);
  EXPECT_EQ(convnext.beta2, 0.999);
  EXPECT_EQ(convnext.eps, 1e-8);
  EXPECT_EQ(parse({"--opt", "timm/adamw"}).lr, std::nullopt);
}

TEST(ParseOptions, SettingsThatCannotRunAreRefused) {
  expect_complaint({"--dataset-type", "synthetic"}, {"--train-num-samples"});
  expect_complaint({"--train-data", "a.tar::b.tar", "--train-data-upsampling-factors", "1::2"},
                   {"--dataset-resampled"});
  expect_complaint({"--train-data", "a.tar::b.tar", "--train-data-upsampling-factors", "1::2::3",
                    "--dataset-resampled"},
                   {"3 factors", "2 sets"});
  expect_complaint({"--lr-scheduler", "const-cooldown"}, {"--epochs-cooldown"});
  expect_complaint({"--lr-scheduler", "linear"}, {"const-cooldown"});
  expect_complaint({"--distill-model", "RN50"}, {"--distill-pretrained"});
  expect_complaint({"--opt", "adafactor"}, {"timm/NAME"});
  expect_complaint({"--image-layer-decay", "0"}, {"(0, 1]"});
  expect_complaint({"--remote-sync", "s3://b", "--resume", "latest", "--save-most-recent"},
                   {"--save-most-recent"});
}

TEST(ParseOptions, StandardInputIsForOneEpoch) {
  const auto with = [](const Line& more) {
    Line line = {"--train-data", "-", "--dataset-type", "webdataset"};
    line.insert(line.end(), more.begin(), more.end());
    return line;
  };
  expect_complaint(with({}), {"standard input", "32 epochs", "--epochs 1"});
  expect_complaint(with({"--stop-after-epochs", "2"}), {"standard input", "2 epochs"});
  expect_complaint(with({"--train-data", "a.tar::-", "--epochs", "2"}), {"standard input"});
  expect_complaint(with({"--epochs", "1", "--dataset-resampled"}), {"--dataset-resampled"});
  EXPECT_EQ(complaint(with({"--epochs", "1"})), "no complaint");
  EXPECT_EQ(complaint(with({"--stop-after-epochs", "1"})), "no complaint");
  EXPECT_EQ(complaint(with({"--resume", "epoch_31.pt"})), "no complaint");
  EXPECT_EQ(complaint(with({"--train-data", "pipe:cat a.tar -"})), "no complaint");
}

TEST(ParseOptions, StandardInputIsForOneEvaluation) {
  const auto with = [](const Line& more) {
    Line line = {"--train-data",   "a.tar",      "--val-data", "-",
                 "--dataset-type", "webdataset", "--epochs",   "3"};
    line.insert(line.end(), more.begin(), more.end());
    return line;
  };
  expect_complaint(with({}), {"--val-data -", "3 times", "--val-frequency 3"});
  expect_complaint(with({"--val-frequency", "2"}), {"2 times"});
  EXPECT_EQ(complaint(with({"--val-frequency", "3"})), "no complaint");
  EXPECT_EQ(complaint(with({"--val-frequency", "0"})), "no complaint");
  EXPECT_EQ(complaint(with({"--stop-after-epochs", "1"})), "no complaint");
  EXPECT_EQ(complaint(with({"--resume", "epoch_2.pt"})), "no complaint");
  expect_complaint(with({"--train-data", "-", "--epochs", "1"}), {"same standard input"});
  EXPECT_THROW(check_world(parse(with({"--val-frequency", "3"})), 2), UsageError);
}

// Spec: training.md section 10, item 3.
TEST(ParseOptions, HalfALocalLossIsRefusedWithSeveralProcesses) {
  const TrainOptions options = parse({"--local-loss"});
  check_world(options, 1);
  EXPECT_THROW(check_world(options, 2), UsageError);
  check_world(parse({"--local-loss", "--gather-with-grad"}), 2);
  check_world(parse({"--local-loss", "--siglip"}), 2);
}

TEST(ParseOptions, OptionsWithoutEffectAreNamed) {
  EXPECT_EQ(parse_options(Line{"--lr", "1"}).warnings.size(), 0U);
  for (const char* flag : {"--torchcompile", "--fsdp"}) {
    ASSERT_EQ(parse_options(Line{flag}).warnings.size(), 1U);
    EXPECT_EQ(parse_options(Line{flag}).warnings[0].find(flag), 0U);
  }
  EXPECT_TRUE(writes_tensorboard(parse({"--report-to", "wandb,tensorboard"})));
  EXPECT_TRUE(writes_tensorboard(parse({"--report-to", "all"})));
  EXPECT_FALSE(writes_tensorboard(parse({})));
  EXPECT_FALSE(saves_logs(parse({"--logs", "NONE"})));
}

TEST(ParseOptions, TheKindOfDataFollowsFromItsEnding) {
  const TestFolder folder;
  EXPECT_EQ(resolve_dataset_type("auto", "x/{0..3}.tar"), "webdataset");
  EXPECT_EQ(resolve_dataset_type("auto", "x.tsv"), "csv");
  EXPECT_EQ(resolve_dataset_type("auto", folder.path().string()), "folder");
  EXPECT_EQ(resolve_dataset_type("webdataset", "pipe:cat a.tar -"), "webdataset");
  EXPECT_THROW(resolve_dataset_type("auto", "pipe:cat a.tar -"), UsageError);
}

TEST(Recipes, AllAreTakenAndTheCommandLineWins) {
  const TrainOptions headline =
      parse({"--recipe", "convnext-large-320-5e-5", "--epochs", "2", "--no-grad-checkpointing"});
  EXPECT_EQ(headline.model, "convnext_large_d_320");
  EXPECT_EQ(headline.lr, 5e-5);
  EXPECT_EQ(headline.eps, 1e-8);
  EXPECT_EQ(headline.epochs, 2);
  EXPECT_FALSE(headline.grad_checkpointing);
  EXPECT_TRUE(headline.gather_with_grad);
  EXPECT_EQ(python_repr(headline.aug_cfg),
            "{'use_timm': True, 'scale': (0.5, 1.0), 're_prob': 0.4}");
  for (const char* name :
       {"convnext-large-256", "convnext-large-320-1e-4", "convnext-large-320-6e-5", "emoji-atto",
        "emoji-atto-light", "one-machine"}) {
    EXPECT_TRUE(parse_options(Line{"--recipe", name}).warnings.empty()) << name;
  }
  expect_complaint({"--recipe", "emoji"}, {"emoji-atto", "one-machine"});
}

TEST(Recipes, AFileIsOneToo) {
  const TestFolder folder;
  write_file(
      folder / "mine.json",
      R"({"options": {"lr": 1e-3, "image-mean": [0.5, 0.5, 0.5], "debug": true, "name": "x"}})");
  const TrainOptions options = parse({"--recipe", (folder / "mine.json").string(), "--no-debug"});
  EXPECT_EQ(options.lr, 1e-3);
  EXPECT_EQ(options.image_mean, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_FALSE(options.debug);
  write_file(folder / "bad.json", R"({"options": {"lrr": 1}})");
  expect_complaint({"--recipe", (folder / "bad.json").string()}, {"no option --lrr"});
}

TEST(Help, GroupsEveryOptionOnALineOfItsOwn) {
  EXPECT_TRUE(parse_options(Line{"--lr", "1", "--help"}).help);
  EXPECT_TRUE(parse_options(Line{"-h"}).help);
  const std::string help = help_text();
  size_t at = 0;
  for (const char* title :
       {"Data\n", "Model\n", "Optimisation\n", "Run control and logging\n",
        "Device and distribution\n", "Ours, not open_clip's\n", "Recipes\n", "Examples\n"}) {
    const size_t found = help.find(std::string("\n") + title, at);
    ASSERT_NE(found, std::string::npos) << title;
    at = found;
  }
  for (const OptionRow& row : option_table()) {
    const std::string begin = "\n  --" + std::string(row.name);
    const size_t found = help.find(begin + " " + std::string(row.value));
    ASSERT_NE(found, std::string::npos) << row.name;
    const std::string line = help.substr(found + 1, help.find('\n', found + 1) - found - 1);
    EXPECT_NE(line.find(row.help), std::string::npos) << line;
  }
  EXPECT_NE(help.find("--clip-grad-norm"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::run

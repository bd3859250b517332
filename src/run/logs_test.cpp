#include "run/logs.h"

#include <gtest/gtest.h>

#include <map>
#include <new>
#include <optional>

#include "base/test_folder.h"
#include "run/fixtures_test.h"

namespace clipnext::run {
namespace {

TrainOptions options_in(const TestFolder& folder) {
  TrainOptions options;
  options.logs = folder.path().string();
  options.name = "run";
  return options;
}

TEST(Logs, LieWhereTheReferencePutsThem) {
  TrainOptions options;
  options.logs = "./logs/";
  options.name = "first";
  const RunPaths paths = run_paths(options);
  EXPECT_EQ(paths.log(), "./logs/first/out.log");
  EXPECT_EQ(paths.results(), "./logs/first/checkpoints/results.jsonl");
  EXPECT_EQ(paths.epoch(3, "pt"), "./logs/first/checkpoints/epoch_3.pt");
  EXPECT_EQ(paths.latest("pt"), "./logs/first/checkpoints/epoch_latest.pt");
}

TEST(Logs, ARunThatIsThereIsNotBegunAgain) {
  const TestFolder folder;
  TrainOptions options = options_in(folder);
  const RunPaths paths = run_paths(options);
  open_run_folder(paths, options);
  EXPECT_TRUE(std::filesystem::is_directory(paths.checkpoints()));
  EXPECT_FALSE(std::filesystem::exists(paths.tensorboard()));
  open_run_folder(paths, options);  // nothing was logged yet
  write_file(paths.log(), "");
  EXPECT_NE(message_of([&] { open_run_folder(paths, options); }).find("--resume latest"),
            std::string::npos);
  options.resume = "latest";
  options.report_to = "tensorboard";
  open_run_folder(paths, options);
  EXPECT_TRUE(std::filesystem::is_directory(paths.tensorboard()));
}

TEST(Logs, ARunWithLocalLogsIsNotBegunAgainEither) {
  const TestFolder folder;
  TrainOptions options = options_in(folder);
  options.log_local = true;
  const RunPaths paths = run_paths(options);
  open_run_folder(paths, options);
  write_file(paths.log(), "");
  EXPECT_NE(
      message_of([&] { open_run_folder(paths, options); }).find("out.log: a run of this name"),
      std::string::npos);
}

TEST(Logs, WhatAKilledRunWasWritingIsRemovedWhenItGoesOn) {
  const TestFolder folder;
  TrainOptions options = options_in(folder);
  options.resume = "latest";
  const RunPaths paths = run_paths(options);
  open_run_folder(paths, options);
  const std::filesystem::path whole = paths.epoch(1, "pt");
  const std::filesystem::path half = paths.snapshot().string() + ".tmp.17.3";
  write_file(whole, "");
  write_file(half, "");
  open_run_folder(paths, options);
  EXPECT_TRUE(std::filesystem::exists(whole));
  EXPECT_FALSE(std::filesystem::exists(half));
}

TEST(Logs, AFolderThatCannotBeMadeIsNamed) {
  const TestFolder folder;
  write_file(folder / "file", "");
  TrainOptions options = options_in(folder);
  options.logs = (folder / "file").string();
  EXPECT_NE(message_of([&] { open_run_folder(run_paths(options), options); }).find("--logs"),
            std::string::npos);
}

TEST(Logs, CheckpointNamesAreStrict) {
  EXPECT_EQ(parse_checkpoint_name("epoch_12.pt")->completed, 12);
  EXPECT_EQ(parse_checkpoint_name("epoch_12.safetensors")->format, "safetensors");
  EXPECT_EQ(parse_checkpoint_name("epoch_latest.pt")->completed, std::nullopt);
  for (const char* other : {"tmp.pt", "epoch_.pt", "epoch_1.pt.tmp.7.0", "epoch_-1.pt",
                            "epoch_1a.pt", "results.jsonl", "xepoch_1.pt", "epoch_1.ckpt",
                            "epoch_1", "epoch_1.5.pt", "epoch_99999999999999999999.pt"}) {
    EXPECT_FALSE(parse_checkpoint_name(other).has_value()) << other;
  }
}

/// A run's folder, and what is read from the checkpoints in it.
class Latest : public ::testing::Test {
 protected:
  void add(const std::filesystem::path& path, std::optional<RunPosition> position) {
    write_file(path, "x");
    positions_[path.string()] = position;
  }

  std::optional<ResumeChoice> latest() {
    notes_.clear();
    const auto read_position = [&](const std::filesystem::path& path) {
      const auto position = positions_.at(path.string());
      require(position.has_value(), path.string(), ": is cut short:\n  tensor x");
      return *position;
    };
    return find_latest(paths_, read_position, notes_);
  }

  const TestFolder folder_;
  const TrainOptions options_ = options_in(folder_);
  const RunPaths paths_ = run_paths(options_);
  std::map<std::string, std::optional<RunPosition>> positions_;
  std::vector<std::string> notes_;
};

TEST_F(Latest, IsTheFurthestThatIsWhole) {
  EXPECT_FALSE(latest().has_value());  // not even a folder
  open_run_folder(paths_, options_);
  EXPECT_FALSE(latest().has_value());

  add(paths_.epoch(9, "pt"), RunPosition{9, 0});
  add(paths_.epoch(10, "pt"), RunPosition{10, 0});
  add(paths_.checkpoints() / "tmp.pt", std::nullopt);  // sorts last with the reference
  EXPECT_EQ(latest()->path, paths_.epoch(10, "pt"));
  EXPECT_TRUE(notes_.empty());

  add(paths_.latest("pt"), RunPosition{8, 0});
  EXPECT_EQ(latest()->path, paths_.epoch(10, "pt"));
  add(paths_.latest("pt"), RunPosition{10, 0});
  EXPECT_EQ(latest()->path, paths_.epoch(10, "pt"));  // of equal ones the epoch's own
  add(paths_.snapshot(), RunPosition{10, 7});
  EXPECT_EQ(latest()->path, paths_.snapshot());
  EXPECT_EQ(latest()->position.steps, 7);

  const auto eleventh = paths_.epoch(11, "safetensors");
  add(eleventh, std::nullopt);
  EXPECT_EQ(latest()->path, paths_.snapshot());
  EXPECT_EQ(notes_, std::vector<std::string>{eleventh.string() + " is passed over: is cut short:"});
  add(eleventh, RunPosition{11, 0});
  EXPECT_EQ(latest()->path, eleventh);
}

TEST_F(Latest, IsAnErrorWhereNoFileWillDo) {
  open_run_folder(paths_, options_);
  add(paths_.epoch(1, "pt"), std::nullopt);
  add(paths_.snapshot(), std::nullopt);
  const std::string error = message_of([&] { latest(); });
  for (const std::string& part : {paths_.epoch(1, "pt").string() + " is passed over: is cut short",
                                  paths_.snapshot().string() + " is passed over",
                                  std::string("--resume FILE"), std::string("--name")}) {
    EXPECT_NE(error.find(part), std::string::npos) << part << " is not in " << error;
  }
}

// A fresh start would write over what is there.
TEST_F(Latest, IsNoFreshStartWhereLookingFails) {
  open_run_folder(paths_, options_);
  add(paths_.epoch(1, "pt"), RunPosition{1, 0});
  const auto find_with = [&](const ReadPosition& read) { find_latest(paths_, read, notes_); };
  EXPECT_THROW(find_with([](const auto&) -> RunPosition { throw std::bad_alloc(); }),
               std::bad_alloc);
  EXPECT_THROW(find_with([](const auto&) -> RunPosition { throw Interrupted(); }), Interrupted);
  std::filesystem::remove_all(paths_.checkpoints());
  write_file(paths_.checkpoints(), "no folder");
  EXPECT_NE(message_of([&] { latest(); }).find("cannot list the folder"), std::string::npos);
}

TEST(Logs, EpochsAreSavedAsTheReferenceSavesThem) {
  EXPECT_TRUE(saves_epoch(4, 10, 2));
  EXPECT_FALSE(saves_epoch(5, 10, 2));
  EXPECT_TRUE(saves_epoch(10, 10, 3));
  EXPECT_FALSE(saves_epoch(9, 10, 0));
  EXPECT_TRUE(saves_epoch(10, 10, 0));
}

TEST(Logs, OnlyWhatWasSavedBeforeIsDeleted) {
  EXPECT_EQ(previous_saved(1, 1), std::nullopt);
  EXPECT_EQ(previous_saved(5, 1), 4);
  EXPECT_EQ(previous_saved(4, 2), 2);
  EXPECT_EQ(previous_saved(10, 3), 9);  // the last epoch, outside the rhythm
  EXPECT_EQ(previous_saved(10, 0), std::nullopt);
}

// Spec: training.md section 10, item 13.
TEST(Logs, ResultsAreTheReferencesAndAlwaysHaveTheEpoch) {
  const TestFolder folder;
  const TrainOptions options = options_in(folder);
  const RunPaths paths = run_paths(options);
  open_run_folder(paths, options);
  append_result(paths, 1, {{"imagenet-zeroshot-val-top1", 0.5}});
  append_result(paths, 2, {{"clip_val_loss", 1.25}, {"epoch", 2}, {"num_samples", 42}});
  const std::string first = "{\"imagenet-zeroshot-val-top1\": 0.5, \"epoch\": 1}\n";
  const std::string second = "{\"clip_val_loss\": 1.25, \"epoch\": 2, \"num_samples\": 42}\n";
  EXPECT_EQ(read_file(paths.results()), first + second);
  write_file(paths.results(), first + second + "{\"clip_val");
  forget_results_after(paths, 1);
  EXPECT_EQ(read_file(paths.results()), first);
}

TEST(Logs, EvaluationsRunAsTheReferences) {
  EXPECT_TRUE(evaluates(2, 5, 2));
  EXPECT_FALSE(evaluates(3, 5, 2));
  EXPECT_TRUE(evaluates(5, 5, 2));
  EXPECT_FALSE(evaluates(5, 5, 0));
  EXPECT_TRUE(evaluates(0, 32, 2));  // without training data
}

}  // namespace
}  // namespace clipnext::run

#include "run/logs.h"

#include <gtest/gtest.h>

#include <map>

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

TEST(Logs, LatestIsTheFurthestThatIsWhole) {
  const TestFolder folder;
  const TrainOptions options = options_in(folder);
  const RunPaths paths = run_paths(options);
  std::vector<std::string> notes;
  std::map<std::string, std::optional<RunPosition>> positions;
  const auto add = [&](const std::filesystem::path& path, std::optional<RunPosition> position) {
    write_file(path, "x");
    positions[path.string()] = position;
  };
  const auto latest = [&] {
    notes.clear();
    return find_latest(
        paths, [&](const auto& path) { return positions.at(path.string()); }, notes);
  };
  EXPECT_FALSE(latest().has_value());  // not even a folder
  open_run_folder(paths, options);
  EXPECT_FALSE(latest().has_value());

  add(paths.epoch(9, "pt"), RunPosition{9, 0});
  add(paths.epoch(10, "pt"), RunPosition{10, 0});
  add(paths.checkpoints() / "tmp.pt", std::nullopt);  // sorts last with the reference
  EXPECT_EQ(latest()->path, paths.epoch(10, "pt"));
  EXPECT_TRUE(notes.empty());

  add(paths.latest("pt"), RunPosition{8, 0});
  EXPECT_EQ(latest()->path, paths.epoch(10, "pt"));
  add(paths.latest("pt"), RunPosition{10, 0});
  EXPECT_EQ(latest()->path, paths.epoch(10, "pt"));  // of equal ones the epoch's own
  add(paths.snapshot(), RunPosition{10, 7});
  EXPECT_EQ(latest()->path, paths.snapshot());
  EXPECT_EQ(latest()->position.steps, 7);

  add(paths.epoch(11, "safetensors"), std::nullopt);  // cut short
  EXPECT_EQ(latest()->path, paths.snapshot());
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("epoch_11"), std::string::npos);
  add(paths.epoch(11, "safetensors"), RunPosition{11, 0});
  EXPECT_EQ(latest()->path, paths.epoch(11, "safetensors"));
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

#include "run/tensorboard.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "base/test_folder.h"
#include "run/fixtures_test.h"

namespace clipnext::run {
namespace {

uint32_t crc_of(const std::string& bytes) { return crc32c(std::as_bytes(std::span(bytes))); }

// RFC 3720 B.4.
TEST(TensorBoard, Crc32cHasTheStandardsValues) {
  EXPECT_EQ(crc_of("123456789"), 0xE3069283U);
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc_of(std::string(32, '\xff')), 0x62A8AB43U);
}

TEST(TensorBoard, EventsAreReadBack) {
  const TestFolder folder;
  std::filesystem::path path;
  {
    EventWriter writer(folder.path());
    path = writer.path();
    writer.scalars({{"train/loss", 2.5}, {"train/lr", 5e-5}}, 7);
  }
  EXPECT_TRUE(path.filename().string().starts_with("events.out.tfevents."));
  const auto events = read_events(path);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.6e9);
  EXPECT_EQ(events[1].step, 7);
  ASSERT_EQ(events[1].scalars.size(), 2U);
  EXPECT_EQ(events[1].scalars[0], (std::pair<std::string, double>("train/loss", 2.5)));
  EXPECT_EQ(events[1].scalars[1].second, static_cast<double>(5e-5f));
}

TEST(TensorBoard, RecordsThatAreCutOrDamagedEndAFile) {
  const TestFolder folder;
  std::filesystem::path path;
  {
    EventWriter writer(folder.path(), 5);
    path = writer.path();
    writer.scalars({{"a", 1}}, 5);
  }
  const std::string whole = read_file(path);
  ASSERT_EQ(read_events(path).size(), 3U);
  EXPECT_TRUE(read_events(path)[1].session_start);
  EXPECT_EQ(read_events(path)[1].step, 5);
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    std::ofstream(folder / "cut") << whole.substr(0, cut);
    EXPECT_LT(read_events(folder / "cut").size(), 3U);
    std::string damaged = whole;
    damaged[cut] = static_cast<char>(damaged[cut] ^ 1);
    std::ofstream(folder / "cut") << damaged;
    EXPECT_LT(read_events(folder / "cut").size(), 3U) << cut;
  }
}

TEST(ScalarLog, CurvesAreInTheirFilesWhileTheyGrow) {
  const TestFolder folder;
  ScalarLog log(folder / "scalars.jsonl", folder.path());
  std::filesystem::path events;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path() != folder / "scalars.jsonl") events = entry.path();
  }
  log.write({{"train/loss", 2.5}}, 100);
  ASSERT_EQ(read_events(events).size(), 2U);  // after the one that names the version
  EXPECT_EQ(read_events(events)[1].step, 100);
  EXPECT_EQ(read_json_lines(folder / "scalars.jsonl").size(), 1U);
  log.write_epoch({{"val/top1", 0.5}}, 1, 120);
  ASSERT_EQ(read_events(events).size(), 3U);
  EXPECT_EQ(read_events(events)[2].scalars.at(0).first, "val/top1");
}

TEST(ScalarLog, ARunThatGoesOnDropsWhatItWillWriteAgain) {
  const TestFolder folder;
  const auto path = folder / "scalars.jsonl";
  std::filesystem::create_directory(folder / "tb");
  {
    ScalarLog log(path, folder / "tb");
    for (int64_t step = 0; step < 10; ++step) log.write({{"train/loss", 10.0 - step}}, step);
    log.write_epoch({{"val/top1", 0.5}}, 1, 5);
    log.write_epoch({{"val/top1", 0.6}}, 2, 10);
  }
  {
    ScalarLog log(path, {}, 5);
    log.write({{"train/loss", 0.25}}, 5);
  }
  const auto lines = read_json_lines(path);
  ASSERT_EQ(lines.size(), 7U);  // steps 0 to 4, the evaluation after five steps, step 5 again
  EXPECT_EQ(lines[4]["step"], 4);
  EXPECT_EQ(lines[5]["epoch"], 1);
  EXPECT_EQ(lines[6]["train/loss"], 0.25);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "tb")) {
    ++files;
    const auto events = read_events(entry.path());
    ASSERT_EQ(events.size(), 13U);
    EXPECT_EQ(events[11].step, 1);  // of an evaluation the epoch
  }
  EXPECT_EQ(files, 1U);
}

}  // namespace
}  // namespace clipnext::run

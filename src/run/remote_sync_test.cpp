#include "run/remote_sync.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "run/fixtures_test.h"

namespace clipnext::run {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  write_file(file, text);
}

/// An `aws` that copies between folders and notes how it was called, first in PATH.
class FakeAws {
 public:
  explicit FakeAws(const fs::path& folder) : path_(std::getenv("PATH")) {
    put(folder / "aws",
        "#!/bin/sh\n"
        "echo \"$@\" >> '" +
            (folder / "calls").string() +
            "'\n"
            "strip() { echo \"$1\" | sed 's,^s3:/,,'; }\n"
            "case $2 in\n"
            "sync) mkdir -p \"$(strip \"$4\")\"; cp -r \"$3\"/. \"$(strip \"$4\")\";;\n"
            "cp) cp \"$(strip \"$3\")\" \"$4\";;\n"
            "ls) ls -l \"$(strip \"$3\")\";;\n"
            "esac\n"
            "exit ${FAKE_AWS_STATUS:-$?}\n");
    chmod((folder / "aws").c_str(), 0755);
    setenv("PATH", (folder.string() + ":" + path_).c_str(), 1);
  }
  ~FakeAws() {
    setenv("PATH", path_.c_str(), 1);
    unsetenv("FAKE_AWS_STATUS");
  }
  FakeAws(const FakeAws&) = delete;
  FakeAws& operator=(const FakeAws&) = delete;

 private:
  std::string path_;
};

struct Fixture {
  Fixture() : aws(folder.path() / "bin") {
    options.logs = (folder / "logs").string();
    options.name = "run";
    options.remote_sync = "s3:/" + (folder / "bucket").string();
    paths = run_paths(options);
    put(paths.checkpoints() / "epoch_1.pt", "one");
    put(paths.checkpoints() / "epoch_latest.pt", "latest");
  }
  /// Copies to the folder bucket, without `aws`.
  void to_folder() {
    options.remote_sync_protocol = "fsspec";
    options.remote_sync = "file://" + (folder / "bucket").string();
  }
  std::string there(const std::string& file) const {
    const fs::path path = folder / "bucket" / "run" / file;
    return fs::exists(path) ? read_file(path) : "";
  }

  TestFolder folder;
  FakeAws aws;
  TrainOptions options;
  RunPaths paths;
};

TEST(RemoteSync, CopiesAtOnceAgainAndAtTheEnd) {
  Fixture f;
  f.options.remote_sync_frequency = 1;
  RemoteSync sync(f.options, f.paths, [](const std::string& text) { ADD_FAILURE() << text; });
  EXPECT_EQ(f.there("checkpoints/epoch_1.pt"), "one");
  EXPECT_NE(read_file(f.folder / "bin/calls")
                .find("--exclude *epoch_latest.* --exclude *.tmp.* --exclude *.part"),
            std::string::npos);
  put(f.paths.checkpoints() / "epoch_2.pt", "two");
  for (int i = 0; i < 600 && f.there("checkpoints/epoch_2.pt").empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(f.there("checkpoints/epoch_2.pt"), "two");
  put(f.paths.checkpoints() / "epoch_3.pt", "three");
  sync.finish();
  EXPECT_EQ(f.there("checkpoints/epoch_3.pt"), "three");
}

TEST(RemoteSync, ThatDoesNotWorkAtFirstIsAnErrorAndLaterAWarning) {
  Fixture f;
  setenv("FAKE_AWS_STATUS", "3", 1);
  EXPECT_NE(message_of([&] { RemoteSync(f.options, f.paths, {}); }).find("status 3"),
            std::string::npos);
  unsetenv("FAKE_AWS_STATUS");
  std::string warning;
  RemoteSync sync(f.options, f.paths, [&](const std::string& text) { warning = text; });
  setenv("FAKE_AWS_STATUS", "4", 1);
  sync.finish();
  EXPECT_NE(warning.find("status 4"), std::string::npos);
}

TEST(RemoteSync, CopiesToAFolder) {
  Fixture f;
  f.to_folder();
  const std::vector<std::string> left_out = {"epoch_latest.pt", "epoch_latest.safetensors",
                                             "epoch_latest.pt.tmp.7.0", "epoch_2.pt.tmp.7.1",
                                             "epoch_3.pt.part"};
  for (const std::string& file : left_out) put(f.paths.checkpoints() / file, "not whole");
  RemoteSync(f.options, f.paths, {}).finish();
  EXPECT_EQ(f.there("checkpoints/epoch_1.pt"), "one");
  for (const std::string& file : left_out) EXPECT_EQ(f.there("checkpoints/" + file), "") << file;
  f.options.remote_sync = "gs://bucket";
  EXPECT_NE(message_of([&] { RemoteSync(f.options, f.paths, {}); }).find("fsspec is Python's"),
            std::string::npos);
}

TEST(RemoteSync, PassesOverFilesThatAreRemovedMeanwhile) {
  Fixture f;
  f.to_folder();
  RemoteSync sync(f.options, f.paths, [](const std::string& text) { ADD_FAILURE() << text; });
  std::atomic<bool> done = false;
  std::thread remover([&] {
    for (int i = 0; !done; ++i) {
      const fs::path file = f.paths.checkpoints() / ("epoch_" + std::to_string(100 + i % 20));
      std::ofstream(file) << "soon gone";
      fs::remove(file);
    }
  });
  // Each a pass of its own: of so many some meet a file between its listing and its copy.
  for (int i = 0; i < 300; ++i) sync.finish();
  done = true;
  remover.join();
  EXPECT_EQ(f.there("checkpoints/epoch_1.pt"), "one");
}

TEST(RemoteSync, SurvivesAListenerThatThrows) {
  Fixture f;
  f.to_folder();
  f.options.remote_sync_frequency = 1;
  std::atomic<int> warnings = 0;
  RemoteSync sync(f.options, f.paths, [&](const std::string&) {
    ++warnings;
    throw Error("the log cannot be written");
  });
  fs::remove_all(f.folder / "bucket/run");
  put(f.folder / "bucket/run", "in the way");
  for (int i = 0; i < 600 && warnings < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_GE(warnings, 2) << "the thread goes on after the first";
}

TEST(RemoteSync, BringsTheFurthestCheckpointHere) {
  Fixture f;
  put(f.folder / "bucket/run/checkpoints/epoch_9.pt", "nine");
  put(f.folder / "bucket/run/checkpoints/epoch_10.pt", "ten");
  put(f.folder / "bucket/run/checkpoints/results.jsonl", "{}");
  fetch_latest(f.options, f.paths);
  EXPECT_EQ(read_file(f.paths.checkpoints() / "epoch_10.pt"), "ten");
  EXPECT_FALSE(fs::exists(f.paths.checkpoints() / "epoch_9.pt"));
  put(f.paths.checkpoints() / "epoch_11.pt", "eleven");
  fs::remove(f.paths.checkpoints() / "epoch_10.pt");
  fetch_latest(f.options, f.paths);
  EXPECT_FALSE(fs::exists(f.paths.checkpoints() / "epoch_10.pt"));
}

TEST(RemoteSync, BringsNothingWhereThereIsNothing) {
  Fixture f;
  f.options.name = "other";
  const RunPaths paths = run_paths(f.options);
  fs::create_directories(paths.checkpoints());
  setenv("FAKE_AWS_STATUS", "1", 1);
  fetch_latest(f.options, paths);
  EXPECT_TRUE(fs::is_empty(paths.checkpoints()));
}

}  // namespace
}  // namespace clipnext::run

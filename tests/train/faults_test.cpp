// What a run does where files and disks fail: it says what, ends with a status other than 0 where
// it cannot go on, and loses nothing.
#include <chrono>

#include "train/training.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

class Faults : public Training {
 protected:
  /// A short run over shards, or what --train-data says.
  Args shard_run(const std::string& name, const std::string& data) const {
    return command(
        name, {"--train-data", data, "--dataset-type", "webdataset", "--train-num-samples", "12",
               "--workers", "1", "--epochs", "1", "--model", path("vit.json")});
  }

  Args vit(const std::string& name, const Args& more = {}) const {
    return command(name, Args{"--model", path("vit.json"), "--snapshot-minutes", "0"} + more);
  }

  /// The same under a limit of the size of files, as a disk that is full sets one.
  static Outcome run_with_limit(const Args& args, int64_t kilobytes) {
    Args shell = {"-c", "ulimit -f " + std::to_string(kilobytes * 2) + "; exec \"$@\"", "sh",
                  CLIPNEXT_PROGRAM};
    return run(e2e::Run{.args = shell + args, .program = "/bin/sh"});
  }

  static void expect_failure(const Outcome& outcome, const std::vector<std::string>& parts) {
    EXPECT_EQ(outcome.status, 1) << outcome.err;
    EXPECT_NE(outcome.err.find("clipnext: "), std::string::npos) << outcome.err;
    for (const std::string& part : parts) {
      EXPECT_NE(outcome.err.find(part), std::string::npos) << part << "\n" << outcome.err;
    }
  }

  size_t files_in(const std::string& folder) const {
    const fs::recursive_directory_iterator files(path(folder));
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }
};

TEST_F(Faults, DamagedShardsAreNamedAndTheRestIsTrainedOn) {
  write_shard("x0.tar", 0, 8);
  const std::string whole = read(write_shard("x1.tar", 8, 8));
  write("x1.tar", whole.substr(0, whole.size() / 2));
  write("x2.tar", "no archive at all");
  const Outcome outcome = run(shard_run("shards", path("x{0..3}.tar")));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* part : {"x1.tar", "x2.tar", "x3.tar", "parts of the data were left out"}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << outcome.err;
  }
  EXPECT_TRUE(fs::exists(in_run("shards", "checkpoints/epoch_1.pt")));
}

TEST_F(Faults, ShardsOfWhichNoneCanBeReadEndTheRun) {
  expect_failure(run(shard_run("none", path("nothing{0..3}.tar"))),
                 {"no sample in 4 shards", "nothing"});
  write("bad.tar", "no archive at all");
  expect_failure(run(shard_run("bad", path("bad.tar"))), {"bad.tar"});
}

TEST_F(Faults, PipesThatFailAreNamedWithTheirStatus) {
  write_shard("p0.tar", 0, 8);
  write_shard("p1.tar", 8, 8);
  const Outcome some =
      run(shard_run("some", "pipe:cat " + path("p{0..1}.tar") + "; test {0..1} = 0"));
  const Outcome late = run(shard_run("late", "pipe:cat " + path("p{0..1}.tar") + "; exit 3"));
  ASSERT_EQ(late.status, 0) << late.err;
  EXPECT_NE(late.err.find("3"), std::string::npos);
  EXPECT_NE(late.err.find("exit 3"), std::string::npos) << late.err;
  EXPECT_EQ(some.status, 0) << some.err;
  expect_failure(run(shard_run("all", "pipe:exit 3")), {"exit 3", "status 3"});
}

TEST_F(Faults, APipeThatFailsEndsTheRunThoughAnotherGivesNothing) {
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome =
      run(shard_run("wait", "pipe:test {0..1} = 0 && exit 3; sleep 300") + Args{"--workers", "2"});
  expect_failure(outcome, {"no sample in 1 shards", "status 3"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(150));
}

TEST_F(Faults, MissingFilesAreNamed) {
  expect_failure(run(vit("a", {"--train-data", path("nowhere.tsv")})), {"nowhere.tsv"});
  expect_failure(run(vit("b", {"--val-data", path("unseen.tsv"), "--epochs", "1"})),
                 {"unseen.tsv"});
  expect_failure(run(vit("c", {"--pretrained", path("weights.pt")})), {"weights.pt"});
  expect_failure(run(vit("d", {"--resume", path("epoch_7.pt")})), {"epoch_7.pt"});
  expect_failure(run(vit("e", {"--model", path("other.json")})), {"other.json"});
  expect_failure(run(vit("f", {"--zeroshot-data", path("no-set"), "--epochs", "1"})), {"no-set"});
}

TEST_F(Faults, AFullDiskKeepsTheLastCheckpointAndTheRunGoesOnLater) {
  ASSERT_EQ(run(vit("straight")).status, 0);
  ASSERT_EQ(run(vit("full", {"--stop-after-epochs", "1"})).status, 0);
  const std::string first = read(in_run("full", "checkpoints/epoch_1.pt"));
  const size_t files = files_in("logs/full");
  const Args again =
      vit("full", {"--resume", "latest", "--save-most-recent", "--delete-previous-checkpoint"});
  const Outcome full = run_with_limit(again, 256);
  expect_failure(full, {"epoch_2.pt", "cannot write"});
  EXPECT_EQ(read(in_run("full", "checkpoints/epoch_1.pt")), first);
  EXPECT_EQ(files_in("logs/full"), files) << "a part of a file was left";
  ASSERT_EQ(run(vit("full", {"--resume", "latest"})).status, 0);
  expect_equal_weights("straight", "full");
}

TEST_F(Faults, AFullDiskAtASnapshotEndsTheRunToo) {
  ASSERT_EQ(run(vit("full", {"--stop-after-epochs", "1"})).status, 0);
  const std::string first = read(in_run("full", "checkpoints/epoch_1.pt"));
  const Outcome full =
      run_with_limit(vit("full", {"--resume", "latest", "--snapshot-minutes", "0.00001"}), 256);
  expect_failure(full, {"latest.safetensors", "cannot write"});
  EXPECT_EQ(read(in_run("full", "checkpoints/epoch_1.pt")), first);
}

TEST_F(Faults, LogsThatCannotBeWrittenEndTheRun) {
  expect_failure(run(vit("x", {"--logs", "/proc/nowhere"})), {"/proc/nowhere"});
  write("file", "");
  expect_failure(run(vit("x", {"--logs", path("file")})), {path("file"), "--logs"});
  for (const char* file : {"out.log", "scalars.jsonl"}) {  // a device that is always full
    const std::string name = std::string("full-") + file;
    ASSERT_EQ(run(vit(name, {"--stop-after-epochs", "1"})).status, 0);
    const std::string first = read(in_run(name, "checkpoints/epoch_1.pt"));
    fs::remove(in_run(name, file));
    fs::create_symlink("/dev/full", in_run(name, file));
    expect_failure(run(vit(name, {"--resume", "latest"})), {file});
    EXPECT_EQ(read(in_run(name, "checkpoints/epoch_1.pt")), first);
  }
}

TEST_F(Faults, ACheckpointCutShortIsRefusedByItsName) {
  ASSERT_EQ(run(vit("whole")).status, 0);
  for (const char* file : {"epoch_1.pt", "epoch_2.pt"}) {
    const std::string content = read(in_run("whole", std::string("checkpoints/") + file));
    for (const double share : {0.0, 0.1, 0.5, 0.999}) {
      const auto size = static_cast<size_t>(static_cast<double>(content.size()) * share);
      write("cut.pt", content.substr(0, size));
      const Outcome outcome = run(vit("again", {"--resume", path("cut.pt")}));
      expect_failure(outcome, {"cut.pt"});
      fs::remove_all(path("logs/again"));
    }
  }
}

TEST_F(Faults, LatestFallsBackToTheLastThatIsWhole) {
  ASSERT_EQ(run(vit("straight", {"--epochs", "3"})).status, 0);
  ASSERT_EQ(run(vit("cut", {"--epochs", "3"})).status, 0);
  const std::string second = read(in_run("cut", "checkpoints/epoch_2.pt"));
  for (const char* file : {"epoch_2.pt", "epoch_3.pt"}) {
    const std::string content = read(in_run("cut", std::string("checkpoints/") + file));
    write(std::string("logs/cut/checkpoints/") + file, content.substr(0, content.size() - 1000));
  }
  const Outcome outcome = run(vit("cut", {"--epochs", "3", "--resume", "latest"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* part :
       {"epoch_3.pt is passed over: ", "epoch_2.pt is passed over: ", "epoch_1.pt' (epoch 1"}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << outcome.err;
  }
  expect_equal_weights("straight", "cut", "epoch_2.pt");
  expect_equal_weights("straight", "cut", "epoch_3.pt");
}

TEST_F(Faults, LatestOfFilesThatWillNotDoEndsTheRunAndKeepsThem) {
  ASSERT_EQ(run(vit("cut", {"--stop-after-epochs", "1"})).status, 0);
  const std::string file = in_run("cut", "checkpoints/epoch_1.pt"), whole = read(file);
  expect_failure(run(vit("cut", {"--resume", "latest", "--model", path("model.json")})),
                 {"epoch_1.pt is passed over: its tensors do not fit", "--resume FILE", "--name"});
  EXPECT_EQ(read(file), whole);
  write("logs/cut/checkpoints/epoch_1.pt", whole.substr(0, whole.size() / 2));
  expect_failure(run(vit("cut", {"--resume", "latest"})),
                 {"epoch_1.pt is passed over: ", "--resume FILE", "--name"});
  EXPECT_EQ(read(file).size(), whole.size() / 2);
}

TEST_F(Faults, AModelThatIsNotToBeTrainedSaysWhatToGive) {
  ASSERT_EQ(run(vit("made", {"--stop-after-epochs", "1"})).status, 0);
  const std::string checkpoint = in_run("made", "checkpoints/epoch_1.pt");
  fs::create_directory(path("empty"));
  for (const Args& logs : {Args{}, Args{"--logs", "None"}}) {
    const auto refused = [&](const std::string& model) {
      return run(vit("refused", Args{"--model", model} + logs));
    };
    expect_failure(refused("hf-hub:org/name"), {"`clipnext pull hf-hub:org/name -o FOLDER`"});
    expect_failure(refused(checkpoint), {"--model NAME --pretrained " + checkpoint});
    expect_failure(refused(path("empty")), {"has no open_clip_config.json"});
  }
}

}  // namespace
}  // namespace clipnext::e2e

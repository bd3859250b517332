// Runs that end before their time, by a signal, an option or a process that is gone: nothing is
// lost, and they go on to the weights of a run that never stopped.
#include <chrono>
#include <csignal>
#include <functional>

#include "train/training.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Stops : public Training {
 protected:
  static Args of_processes(int count) {
    if (count == 1) return {};
    return {"--nproc", "2", "--batch-size", "3", "--local-loss", "--gather-with-grad"};
  }

  bool has_snapshot(const std::string& name) const {
    return fs::exists(in_run(name, "snapshot/latest.safetensors"));
  }

  /// Over a shard, with pairs to evaluate on behind a command.
  Args shard_run(const std::string& name, const std::string& before_validation) const {
    write_shard("train0.tar", 0, 12);
    write_shard("train1.tar", 12, 12);
    return command(name, {"--dataset-type", "webdataset", "--train-data", path("train{0,1}.tar"),
                          "--train-num-samples", "24", "--workers", "1", "--val-data",
                          "pipe:" + before_validation + " cat " + write_shard("val.tar", 0, 6),
                          "--val-num-samples", "6", "--save-frequency", "0"});
  }
};

TEST_F(Stops, PreemptionSavesAlsoWhenItIsToldTwice) {
  for (const int processes : {1, 2}) {
    const std::string name = "stopped" + std::to_string(processes);
    e2e::Run options{.args = command(name, of_processes(processes) + Args{"--epochs", "400"})};
    options.interrupt_after_ms = 4000;
    options.signals = {SIGTERM, SIGTERM};
    const Outcome outcome = run(options);
    EXPECT_EQ(outcome.status, 130) << outcome.err;
    EXPECT_TRUE(has_snapshot(name)) << outcome.err;
  }
}

TEST_F(Stops, AnInterruptionWhileItEvaluatesLosesNothing) {
  ASSERT_EQ(run(shard_run("straight", "")).status, 0);
  for (const int processes : {1, 2}) {
    const std::string name = "cut" + std::to_string(processes);
    e2e::Run options{.args = shard_run(name, "sleep 100;") + of_processes(processes)};
    if (processes > 1) options.args = options.args + Args{"--stop-after-epochs", "1"};
    options.interrupt_after_ms = 7000;
    options.signals = {SIGTERM};
    Outcome outcome;
    EXPECT_LT(seconds_of([&] { outcome = run(options); }), 60);
    EXPECT_EQ(outcome.status, 130) << outcome.err;
    EXPECT_TRUE(has_snapshot(name)) << outcome.err;
  }
  ASSERT_EQ(run(shard_run("cut1", "") + Args{"--resume", "latest"}).status, 0);
  expect_equal_weights("straight", "cut1");
}

TEST_F(Stops, WhereItIsToldToStopAllIsSaved) {
  const Args rarely = {"--save-frequency", "0", "--snapshot-minutes", "0"};
  ASSERT_EQ(run(command("straight", rarely)).status, 0);
  for (const Args& stop : {Args{"--stop-after-epochs", "1"}, Args{"--stop-after-steps", "4"}}) {
    const std::string name = "told" + stop[0];
    ASSERT_EQ(run(command(name, rarely + stop)).status, 0);
    EXPECT_TRUE(has_snapshot(name));
    const Args again = rarely + Args{"--resume", "latest"};
    ASSERT_EQ(run(command(name, again + stop)).status, 0) << "where it is already";
    EXPECT_FALSE(fs::exists(in_run(name, "checkpoints/epoch_2.pt")));
    ASSERT_EQ(run(command(name, again)).status, 0);
    expect_equal_weights("straight", name);
  }
}

TEST_F(Stops, WithinAnEpochItGoesOnOnlyInAnEpochOfTheSameSteps) {
  ASSERT_EQ(run(command("cut", {"--stop-after-steps", "6"})).status, 0);
  for (const Args& other :
       {Args{"--batch-size", "3"}, Args{"--batch-size", "12"}, Args{"--accum-freq", "2"}}) {
    const Outcome outcome = run(command("cut", other + Args{"--resume", "latest"}));
    EXPECT_EQ(outcome.status, 1) << other[0];
    EXPECT_NE(outcome.err.find("step 2 of an epoch of 4 steps of 6 x 1"), std::string::npos)
        << outcome.err;
  }
  EXPECT_EQ(run(command("cut", {"--resume", "latest"})).status, 0);
}

TEST_F(Stops, TheFailureOfOneProcessIsShownOnceAndEndsAll) {
  // The first alone writes files, whose size is limited as by a full disk.
  Args shell = {"-c", "ulimit -f 512; exec \"$@\"", "sh", CLIPNEXT_PROGRAM};
  const Args two = of_processes(2) + Args{"--model", path("vit.json"), "--snapshot-minutes", "0"};
  Outcome outcome;
  EXPECT_LT(seconds_of([&] {
              outcome = run(e2e::Run{.args = shell + command("full", two), .program = "/bin/sh"});
            }),
            60);
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  const size_t found = outcome.err.find("cannot write");
  ASSERT_NE(found, std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("cannot write", found + 1), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("rank 1 stops: rank 0 failed"), std::string::npos) << outcome.err;
}

TEST_F(Stops, AProcessThatIsKilledEndsTheOthers) {
  const std::string kill_one =
      "\"$@\" & run=$!; sleep 4; "
      "set -- $(cat /proc/$run/task/$run/children); kill -9 $2; wait $run";
  const Args shell = {"-c", kill_one, "sh", CLIPNEXT_PROGRAM};
  const Args two = of_processes(2) + Args{"--epochs", "4000", "--save-frequency", "0"};
  Outcome outcome;
  EXPECT_LT(seconds_of([&] {
              outcome = run(e2e::Run{.args = shell + command("one", two), .program = "/bin/sh"});
            }),
            60);
  EXPECT_EQ(outcome.status, 128 + SIGKILL) << outcome.err;
  EXPECT_NE(outcome.err.find("rank 0 stops: "), std::string::npos) << outcome.err;
}

// Of each process's own samples are a batch norm's running statistics made.
TEST_F(Stops, WhatIsMeasuredIsWhatTheCheckpointHolds) {
  write("resnet.json", R"({"embed_dim": 16,
      "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": null},
      "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2,
                   "layers": 1}})");
  const Args same = {"--model",         path("resnet.json"), "--val-data",
                     path("pairs.tsv"), "--epochs",          "1"};
  ASSERT_EQ(run(command("made", same + of_processes(2))).status, 0);
  const Outcome measured =
      run({"train", "--model", path("resnet.json"), "--dataset-type", "csv", "--val-data",
           path("pairs.tsv"), "--pretrained", in_run("made", "checkpoints/epoch_1.pt"), "--device",
           "cpu", "--precision", "fp32", "--batch-size", "3", "--logs", path("logs"), "--name",
           "again"});
  ASSERT_EQ(measured.status, 0) << measured.err;
  const auto of = [&](const std::string& name) {
    return run::read_json_lines(in_run(name, "checkpoints/results.jsonl"))
        .at(0)
        .at("clip_val_loss")
        .get<double>();
  };
  EXPECT_NEAR(of("made"), of("again"), 1e-5);
}

}  // namespace
}  // namespace clipnext::e2e

#include <random>
#include <regex>
#include <thread>

#include "base/text_lines.h"
#include "train/training.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

TEST_F(Training, WritesWhatOpenClipWrites) {
  const Outcome outcome = run(command("plain", {"--val-data", path("pairs.tsv")}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(in_run("plain", "checkpoints/epoch_1.pt")));
  EXPECT_TRUE(fs::exists(in_run("plain", "checkpoints/epoch_2.pt")));
  EXPECT_FALSE(fs::exists(in_run("plain", "snapshot/latest.safetensors")));

  const std::string log = read(in_run("plain", "out.log"));
  const std::regex line(
      R"(\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d \| INFO \| Train Epoch: 1 \[24/26 \(100%\)\] Data \(t\): [\d.]+ Batch \(t\): [\d.]+, [\d.]+/s, [\d.]+/s/gpu LR: 0\.\d{6} Logit Scale: [\d.]+ Contrastive_loss: [\d.]+ \([\d.]+\) Loss: [\d.]+ \([\d.]+\))");
  EXPECT_TRUE(std::regex_search(log, line)) << log;
  EXPECT_NE(log.find("Eval Epoch: 2 "), std::string::npos);

  const auto results = run::read_json_lines(in_run("plain", "checkpoints/results.jsonl"));
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[1]["epoch"], 2);
  EXPECT_TRUE(results[1].contains("image_to_text_R@1"));
  EXPECT_EQ(results[1]["num_samples"], kPairs);
  const std::string params = read(in_run("plain", "params.txt"));
  EXPECT_NE(params.find("batch_size: 6\n"), std::string::npos);
  EXPECT_NE(params.find("lr: 0.001\n"), std::string::npos);
}

TEST_F(Training, ACheckpointIsAModelForOtherCommands) {
  ASSERT_EQ(
      run(command("model", {"--epochs", "1", "--image-mean", "0.5", "--image-std", "0.5"})).status,
      0);
  const Outcome named = run({"classify", path("0.png"), "--labels", "a,b", "--json", "--model",
                             in_run("model", "checkpoints/epoch_1.pt")});
  ASSERT_EQ(named.status, 0) << named.err;
  const Json config = Json::parse(read(in_run("model", "checkpoints/open_clip_config.json")));
  EXPECT_EQ(config["preprocess_cfg"]["mean"], (Json{0.5, 0.5, 0.5}));
  EXPECT_EQ(config["model_cfg"]["embed_dim"], 16);
}

TEST_F(Training, TheAverageOverStepsIsPackagedWhateverWasLocked) {
  ASSERT_EQ(run(command("averaged", {"--lock-text", "--ema-decay", "0.9", "--epochs", "1"})).status,
            0);
  const Outcome outcome = run({"package", in_run("averaged", "checkpoints/epoch_1.pt"), "--use-ema",
                               "-o", path("packaged")});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
}

TEST_F(Training, LearnsWhatItIsShown) {
  ASSERT_EQ(run(command("learns", {"--epochs", "12", "--no-augment", "--lr", "3e-3"})).status, 0);
  const auto scalars = run::read_json_lines(in_run("learns", "scalars.jsonl"));
  ASSERT_EQ(scalars.size(), 48U);
  const auto loss = [&](size_t i) { return scalars[i]["train/loss"].get<double>(); };
  EXPECT_LT(loss(47), 0.7 * loss(0));
}

TEST_F(Training, GivesTheSameWeightsTwice) {
  ASSERT_EQ(run(command("first")).status, 0);
  ASSERT_EQ(run(command("second")).status, 0);
  expect_equal_weights("first", "second");
  ASSERT_EQ(run(command("third", {"--seed", "1"})).status, 0);
  EXPECT_NE(weights::to_f32(weights_of("first", "epoch_2.pt").at("positional_embedding")),
            weights::to_f32(weights_of("third", "epoch_2.pt").at("positional_embedding")));
}

// Spec: training.md section 10, item 9.
TEST_F(Training, GoesOnAfterAnEpochToTheSameWeights) {
  ASSERT_EQ(run(command("straight")).status, 0);
  ASSERT_EQ(run(command("halves", {"--stop-after-epochs", "1"})).status, 0);
  EXPECT_FALSE(fs::exists(in_run("halves", "checkpoints/epoch_2.pt")));
  ASSERT_EQ(run(command("halves", {"--resume", "latest"})).status, 0);
  expect_equal_weights("straight", "halves");
}

// The optimizer's groups are not those of every run, and a checkpoint only numbers parameters.
TEST_F(Training, GoesOnWithGroupsOfItsOwnToTheSameWeights) {
  const std::vector<Args> kinds = {
      Args{"--lock-image"},
      Args{"--lock-image", "--lock-image-unlocked-groups", "1", "--lock-text",
           "--lock-text-unlocked-layers", "1", "--image-layer-decay", "0.9"},
      Args{"--image-layer-decay", "0.8", "--text-layer-decay", "0.7"},
      Args{"--wd-exclude", "*c_fc.weight", "positional_embedding"},
      Args{"--opt", "timm/nadamuon", "--opt-fallback-list", "*embedding*", "*in_proj_weight"},
  };
  for (size_t i = 0; i < kinds.size(); ++i) {
    SCOPED_TRACE(kinds[i][0] + " " + std::to_string(i));
    const Args vit = Args{"--model", path("vit.json")} + kinds[i];
    const std::string straight = "straight" + std::to_string(i),
                      halves = "halves" + std::to_string(i);
    ASSERT_EQ(run(command(straight, vit)).status, 0);
    ASSERT_EQ(run(command(halves, vit + Args{"--stop-after-epochs", "1"})).status, 0);
    const Outcome rest = run(command(halves, vit + Args{"--resume", "latest"}));
    ASSERT_EQ(rest.status, 0) << rest.err;
    // From the start it would come to the same weights.
    EXPECT_NE(rest.err.find("epoch_1.pt' (epoch 1)"), std::string::npos) << rest.err;
    expect_equal_weights(straight, halves);
  }
}

TEST_F(Training, GoesOnWithinAnEpochToTheSameWeights) {
  ASSERT_EQ(run(command("straight")).status, 0);
  for (const char* steps : {"1", "3", "6"}) {
    const std::string name = std::string("cut") + steps;
    ASSERT_EQ(run(command(name, {"--stop-after-steps", steps})).status, 0);
    EXPECT_TRUE(fs::exists(in_run(name, "snapshot/latest.safetensors")));
    ASSERT_EQ(run(command(name, {"--resume", "latest"})).status, 0);
    expect_equal_weights("straight", name);
  }
}

TEST_F(Training, KilledAtAnyMomentGoesOnToTheSameWeights) {
  const Args two = {
      "--nproc",           "2", "--batch-size", "3", "--snapshot-minutes", "0.0001", "--local-loss",
      "--gather-with-grad"};
  ASSERT_EQ(run(command("straight", two)).status, 0);
  Args again = two;
  again.insert(again.end(), {"--resume", "latest"});
  std::mt19937 moments(7);
  int killed = 0;
  for (int attempt = 0; attempt < 60; ++attempt) {
    // Later each time, so that every part of the run is hit, and the run ends at last.
    const int most = 300 + attempt * 60;
    const int after = std::uniform_int_distribution<int>(100, most)(moments);
    e2e::Run options{.args = command("killed", again)};
    if (killed < 20) options.kill_after_ms = after;
    const Outcome outcome = run(options);
    if (outcome.status == 0) {
      if (killed >= 20 || attempt > 40) break;
      fs::remove_all(path("logs/killed"));  // done before the kill: begin anew
      continue;
    }
    ASSERT_EQ(outcome.status, 128 + 9) << outcome.err;
    ++killed;
  }
  EXPECT_GE(killed, 20);
  expect_equal_weights("straight", "killed");
}

TEST_F(Training, InterruptSavesAndEndsWith130) {
  e2e::Run options{.args = command("stopped", {"--epochs", "400"})};
  options.interrupt_after_ms = 3000;
  const Outcome outcome = run(options);
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_TRUE(fs::exists(in_run("stopped", "snapshot/latest.safetensors")));
}

TEST_F(Training, TwoProcessesGiveTheWeightsOfOneWithTheWholeBatch) {
  const Args same = {"--in-order", "--no-augment", "--model", path("vit.json"), "--epochs", "1"};
  Args one = same, two = same;
  one.insert(one.end(), {"--batch-size", "12"});
  two.insert(two.end(),
             {"--nproc", "2", "--batch-size", "6", "--local-loss", "--gather-with-grad"});
  ASSERT_EQ(run(command("one", one)).status, 0);
  ASSERT_EQ(run(command("two", two)).status, 0);
  const auto left = weights_of("one", "epoch_1.pt"), right = weights_of("two", "epoch_1.pt");
  for (const auto& [name, tensor] : left) {
    const auto a = weights::to_f32(tensor), b = weights::to_f32(right.at(name));
    double off = 0, size = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      off += std::pow(a[i] - b[i], 2);
      size += std::pow(a[i], 2);
    }
    EXPECT_LE(std::sqrt(off), 2e-4 * std::sqrt(size) + 1e-4) << name;
  }
}

// Spec: training.md section 10, item 10; that a weights-only loader reads what is written is
// checked with PyTorch by tools/check_training_checkpoint.py.
TEST_F(Training, TakesCheckpointsWithAndWithoutThePrefixInAnyNumberOfProcesses) {
  ASSERT_EQ(run(command("made", {"--model", path("vit.json"), "--epochs", "1"})).status, 0);
  const auto clean = weights_of("made", "epoch_1.pt");
  weights::TensorMap prefixed;
  for (const auto& [name, tensor] : clean) prefixed["module." + name] = tensor;
  weights::write_torch_zip(path("prefixed.pt"), prefixed);
  weights::write_torch_zip(path("clean.pt"), clean);
  int number = 0;
  for (const char* file : {"prefixed.pt", "clean.pt"}) {
    for (const Args& processes : {Args{}, Args{"--nproc", "2", "--batch-size", "3"}}) {
      const std::string name = "from" + std::to_string(number++);
      const Args still = {"--model", path("vit.json"), "--epochs", "1", "--lr",
                          "0",       "--pretrained",   path(file)};
      const Outcome outcome = run(command(name, still + processes));
      ASSERT_EQ(outcome.status, 0) << outcome.err;
      expect_equal_weights("made", name, "epoch_1.pt");
    }
  }
}

TEST_F(Training, RefusesWhatCannotBe) {
  expect_error(run({"train", "--no-such-option"}), 2, "--no-such-option");
  expect_error(run({"train", "--horovod"}), 2, "--horovod");
  ASSERT_EQ(run(command("taken", {"--epochs", "1"})).status, 0);
  const Outcome twice = run(command("taken", {"--epochs", "1"}));
  EXPECT_EQ(twice.status, 1);
  EXPECT_NE(twice.err.find("--resume latest"), std::string::npos) << twice.err;
  const Outcome missing = run(command("missing", {"--train-data", path("nowhere.tsv")}));
  EXPECT_EQ(missing.status, 1);
  EXPECT_NE(missing.err.find("nowhere.tsv"), std::string::npos) << missing.err;
  const Outcome unwritable = run(command("x", {"--logs", "/proc/nowhere"}));
  EXPECT_EQ(unwritable.status, 1);
  EXPECT_NE(unwritable.err.find("/proc/nowhere"), std::string::npos) << unwritable.err;
}

TEST_F(Training, PassesOverADamagedCheckpoint) {
  ASSERT_EQ(run(command("cut")).status, 0);
  const std::string whole = read(in_run("cut", "checkpoints/epoch_2.pt"));
  write("logs/cut/checkpoints/epoch_2.pt", whole.substr(0, whole.size() / 2));
  const Outcome again = run(command("cut", {"--resume", "latest"}));
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("epoch_2.pt"), std::string::npos) << again.err;
  EXPECT_EQ(read(in_run("cut", "checkpoints/epoch_2.pt")).size(), whole.size());
}

TEST_F(Training, LeavesOutBadPicturesAndSaysSo) {
  write("3.png", "no picture");
  const Outcome outcome = run(command("bad", {"--epochs", "1"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("3.png"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace clipnext::e2e

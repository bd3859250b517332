// The headline model card's own command line and the specification's normal form of it, word for
// word but for paths, model and sizes.
#include "train/training.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

class Card : public Training {
 protected:
  Card() {
    for (int i = 0; i < 4; ++i) write_shard("laion0000" + std::to_string(i) + ".tar", i * 6, 6);
    EXPECT_EQ(run(command("from", {"--epochs", "1", "--stop-after-steps", "1", "--aug-cfg",
                                   "use_timm=True"}))
                  .status,
              0);
    EXPECT_EQ(run(command("from", {"--epochs", "1", "--resume", "latest"})).status, 0);
    pretrained_ = in_run("from", "checkpoints/epoch_1.pt");
  }

  /// As `aws s3 cp s3://... -` writes a shard to standard output.
  std::string shards(const std::string& pattern) const {
    return "pipe:cat " + path(pattern) + " -";
  }

  /// Where it runs; the card leaves that to a cluster.
  Args here(const std::string& logs) const {
    return {"--logs", path(logs), "--device", "cpu", "--threads", "1"};
  }

  /// spec/training.md 1.1, with --clip-grad-norm, which never was an option.
  Args card() const {
    return {"train",
            "--save-frequency",
            "1",
            "--name",
            "convnext_large_320",
            "--pretrained",
            pretrained_,
            "--resume",
            "latest",
            "--train-data=" + shards("laion{00000..00003}.tar"),
            "--train-num-samples",
            "24",
            "--dataset-type",
            "webdataset",
            "--precision",
            "amp_bfloat16",
            "--beta2",
            "0.98",
            "--warmup",
            "2000",
            "--batch-size=6",
            "--epochs=2",
            "--dataset-resampled",
            "--aug-cfg",
            "use_timm=True",
            "scale=(0.5, 1.0)",
            "re_prob=0.4",
            "--clip-grad-norm",
            "5.0",
            "--lr",
            "5e-5",
            "--workers=2",
            "--model",
            path("model.json"),
            "--seed",
            "0",
            "--ddp-static-graph",
            "--local-loss",
            "--gather-with-grad",
            "--grad-checkpointing"};
  }

  /// spec/training.md 8.3.
  Args normalised() const {
    return {"train",
            "--save-frequency",
            "1",
            "--name",
            "convnext_large_320",
            "--pretrained",
            pretrained_,
            "--resume",
            "latest",
            "--train-data",
            shards("laion{00000..00003}.tar"),
            "--train-num-samples",
            "24",
            "--dataset-type",
            "webdataset",
            "--dataset-resampled",
            "--precision",
            "amp_bfloat16",
            "--beta2",
            "0.98",
            "--warmup",
            "2000",
            "--batch-size",
            "6",
            "--epochs",
            "2",
            "--aug-cfg",
            "use_timm=True",
            "scale=(0.5, 1.0)",
            "re_prob=0.4",
            "--image-interpolation",
            "random",
            "--grad-clip-norm",
            "5.0",
            "--lr",
            "5e-5",
            "--workers",
            "2",
            "--model",
            path("model.json"),
            "--seed",
            "0",
            "--ddp-static-graph",
            "--local-loss",
            "--gather-with-grad",
            "--grad-checkpointing"};
  }

  Weights result(const std::string& logs) const {
    Weights values;
    for (const auto& [name, tensor] :
         weights::open_checkpoint(path(logs + "/convnext_large_320/checkpoints/epoch_2.pt"))
             .tensors) {
      values[name] = to_f32(tensor);
    }
    return values;
  }

  std::string pretrained_;
};

TEST_F(Card, ItsCommandAndTheNormalisedOneRun) {
  const Outcome own = run(card() + here("card"));
  ASSERT_EQ(own.status, 0) << own.err;
  const Outcome normal = run(normalised() + here("normal"));
  ASSERT_EQ(normal.status, 0) << normal.err;
  // They differ in the filter alone, whose default the trainer of the card drew at random.
  const Outcome same = run(card() + here("same") + Args{"--image-interpolation", "random"});
  ASSERT_EQ(same.status, 0) << same.err;
  EXPECT_EQ(result("normal"), result("same"));
  EXPECT_NE(result("normal"), result("card"));
  const std::string params = read(path("card/convnext_large_320/params.txt"));
  for (const char* line : {"grad_clip_norm: 5.0\n", "beta2: 0.98\n", "eps: 1e-08\n", "lr: 5e-05\n",
                           "precision: amp_bfloat16\n", "ddp_static_graph: True\n",
                           "aug_cfg: {'use_timm': True, 'scale': (0.5, 1.0), 're_prob': 0.4}\n"}) {
    EXPECT_NE(params.find(line), std::string::npos) << line << params;
  }
}

TEST_F(Card, GoesOnWithTheSameCommand) {
  ASSERT_EQ(run(card() + here("straight")).status, 0);
  ASSERT_EQ(run(card() + here("halves") + Args{"--stop-after-steps", "3"}).status, 0);
  const Outcome again = run(card() + here("halves"));
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("resuming from"), std::string::npos) << again.err;
  EXPECT_EQ(result("straight"), result("halves"));
}

TEST_F(Card, RunsInTwoProcesses) {
  const Outcome two = run(normalised() + here("two") + Args{"--nproc", "2", "--batch-size", "3"});
  ASSERT_EQ(two.status, 0) << two.err;
  EXPECT_TRUE(fs::exists(path("two/convnext_large_320/checkpoints/epoch_2.pt")));
}

TEST_F(Card, ItsDefectsAreExplained) {
  // --pretrained ""/runs/...pt" --resume ...: what a shell makes of the quotation marks.
  Args quotes = card();
  const auto at = std::find(quotes.begin(), quotes.end(), "--pretrained");
  *(at + 1) = pretrained_ + " --resume latest --train-data=" + shards("laion{00000..00003}.tar");
  expect_error(run(quotes), 2, "quotation mark");
  // The brace that is never closed.
  const Outcome braces = run(card() + Args{"--train-data", shards("{laion{00000..00003}.tar")});
  expect_error(braces, 2, "is never closed");
  EXPECT_NE(braces.err.find("--train-data"), std::string::npos);
  // And where the pattern is right but nothing is there.
  const Outcome missing =
      run(card() + here("missing") + Args{"--train-data", shards("laion{00000..xxxxx}.tar")});
  EXPECT_NE(missing.status, 0);
  EXPECT_NE(missing.err.find("laion"), std::string::npos) << missing.err;
}

}  // namespace
}  // namespace clipnext::e2e

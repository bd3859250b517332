// Every option that spec/training.md section 1.2 to 1.5 marks S (of the headline model's command)
// or C (of other recipes) has its meaning: a case in which something that can be seen changes, here
// or in the test that is named.
#include <array>
#include <functional>
#include <optional>

#include "base/file.h"
#include "datasets/names.h"
#include "hub/test_hub.h"
#include "run/option_table.h"
#include "train/training.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

/// The options marked S or C, by the tables of the specification.
constexpr const char* kMarked[] = {
    // 1.2 data
    "train-data", "train-data-upsampling-factors", "val-data", "train-num-samples",
    "val-num-samples", "dataset-type", "dataset-resampled", "csv-separator", "csv-img-key",
    "csv-caption-key", "json-text-key", "imagenet-val", "imagenet-v2", "workers", "batch-size",
    // 1.3 model
    "model", "pretrained", "precision", "lock-image", "lock-image-unlocked-groups", "lock-text",
    "lock-text-unlocked-layers", "lock-text-freeze-layer-norm", "image-interpolation", "aug-cfg",
    "grad-checkpointing", "force-image-size", "siglip",
    // 1.4 optimisation
    "epochs", "epochs-cooldown", "lr", "beta1", "beta2", "eps", "wd", "warmup", "opt",
    "image-layer-decay", "text-layer-decay", "lr-scheduler", "grad-clip-norm", "accum-freq",
    "local-loss", "gather-with-grad", "seed",
    // 1.5 run control, logging, distribution
    "logs", "name", "save-frequency", "save-most-recent", "delete-previous-checkpoint",
    "zeroshot-frequency", "val-frequency", "resume", "log-every-n-steps", "report-to",
    "wandb-notes", "wandb-project-name", "dist-url", "dist-backend", "ddp-static-graph",
    "no-set-device-rank", "remote-sync", "remote-sync-frequency", "remote-sync-protocol"};

/// Options whose test stands elsewhere: file and test.
struct Elsewhere {
  const char* option;
  const char* file;
  const char* test;
};
constexpr Elsewhere kElsewhere[] = {
    {"grad-checkpointing", "src/train/towers_test.cpp", "Checkpointing, HoldsLess"},
    {"resume", "tests/train/train_test.cpp", "Training, GoesOnAfterAnEpochToTheSameWeights"},
    {"dist-url", "src/run/launch_test.cpp", "Launch, ProcessesMeetWhereTheLauncherSays"},
    {"dist-backend", "src/run/launch_test.cpp", "Launch, TheBackendFollowsTheDevice"},
    {"no-set-device-rank", "src/run/launch_test.cpp", "Launch, TheDeviceFollowsTheLocalRank"},
    {"remote-sync", "src/run/remote_sync_test.cpp", "RemoteSync, CopiesAtOnceAgainAndAtTheEnd"},
    {"remote-sync-frequency", "src/run/remote_sync_test.cpp",
     "RemoteSync, CopiesAtOnceAgainAndAtTheEnd"},
    {"remote-sync-protocol", "src/run/remote_sync_test.cpp", "RemoteSync, CopiesToAFolder"},
};

/// A run that has ended, and what it left.
struct Ran {
  Outcome outcome;
  fs::path folder;

  bool has(const std::string& file) const { return fs::exists(folder / file); }
  std::string text(const std::string& file) const { return read_file(folder / file); }
  std::string log() const { return text("out.log"); }
  Weights weights(const std::string& file = "epoch_1.pt") const {
    Weights values;
    for (const auto& [name, tensor] :
         weights::open_checkpoint(folder / "checkpoints" / file).tensors) {
      values[name] = to_f32(tensor);
    }
    return values;
  }
  std::vector<double> curve(const std::string& name) const {
    std::vector<double> values;
    for (const auto& line : run::read_json_lines(folder / "scalars.jsonl")) {
      if (line.contains(name)) values.push_back(line[name].get<double>());
    }
    return values;
  }
  size_t steps() const { return curve("train/loss").size(); }
  std::vector<OrderedJson> results() const {
    return run::read_json_lines(folder / "checkpoints/results.jsonl");
  }
};

/// Sees what the option changed between a run without it and one with it.
using Observe = std::function<void(const Ran& without, const Ran& with)>;

struct Case {
  std::string option;
  Args base;   // of both runs
  Args given;  // of the second
  Observe observe;
};

void both_end_well(const Ran& a, const Ran& b) {
  EXPECT_EQ(a.outcome.status, 0) << a.outcome.err;
  ASSERT_EQ(b.outcome.status, 0) << b.outcome.err;
}

/// Names of the tensors that differ.
std::vector<std::string> changed(const Weights& a, const Weights& b) {
  std::vector<std::string> names;
  for (const auto& [name, values] : a) {
    const auto found = b.find(name);
    if (found == b.end() || found->second != values) names.push_back(name);
  }
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void weights_differ(const Ran& a, const Ran& b) {
  both_end_well(a, b);
  EXPECT_FALSE(changed(a.weights(), b.weights()).empty());
}

void weights_are_equal(const Ran& a, const Ran& b) {
  both_end_well(a, b);
  EXPECT_EQ(changed(a.weights(), b.weights()), std::vector<std::string>());
}

Observe steps_are(size_t without, size_t with) {
  return [=](const Ran& a, const Ran& b) {
    both_end_well(a, b);
    EXPECT_EQ(a.steps(), without);
    EXPECT_EQ(b.steps(), with);
  };
}

/// Where the second has the file and the first has not.
Observe only_second_has(const std::string& file) {
  return [=](const Ran& a, const Ran& b) {
    both_end_well(a, b);
    EXPECT_FALSE(a.has(file));
    EXPECT_TRUE(b.has(file));
  };
}

Observe rates_are(std::vector<double> without, std::vector<double> with) {
  return [=](const Ran& a, const Ran& b) {
    both_end_well(a, b);
    for (const auto& [ran, want] : {std::pair(&a, &without), {&b, &with}}) {
      const auto got = ran->curve("train/lr");
      ASSERT_EQ(got.size(), want->size());
      for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], (*want)[i], 1e-12) << i;
    }
  };
}

/// Only tensors that `may` move have moved from where lr 0 leaves them, and some have.
Observe only_some_move(std::function<bool(const std::string&)> may) {
  return [may](const Ran& still, const Ran& moved) {
    both_end_well(still, moved);
    const auto names = changed(still.weights(), moved.weights());
    for (const std::string& name : names) EXPECT_TRUE(may(name)) << name;
    EXPECT_FALSE(names.empty());
  };
}

bool is_image(const std::string& name) { return name.starts_with("visual."); }
bool is_text(const std::string& name) { return !is_image(name) && name != "logit_scale"; }

class Options : public Training {
 protected:
  Options() {
    write_shard("a0.tar", 0, 8);
    write_shard("a1.tar", 8, 8);
    write_shard("b0.tar", 16, 8);
    shards_ = {"--train-data",        path("a{0..1}.tar") + "::" + path("b0.tar"),
               "--dataset-type",      "webdataset",
               "--train-num-samples", "24"};
  }

  /// A run of one epoch of 4 steps.
  Ran start(const Args& more, const std::map<std::string, std::string>& environment = {}) {
    const std::string name = "run" + std::to_string(count_++);
    const Args few = {
        "--model", path("vit.json"),     "--epochs", "1", "--warmup", "1", "--workers",
        "1",       "--snapshot-minutes", "0"};
    return {.outcome = run({.args = command(name, few + more), .environment = environment}),
            .folder = path("logs/" + name)};
  }

  /// The same once for all cases that begin from it.
  const Ran& start_once(const Args& base) {
    auto found = kept_.find(base);
    if (found == kept_.end()) found = kept_.emplace(base, start(base)).first;
    return found->second;
  }

  void expect_cases(const std::vector<Case>& cases) {
    for (const Case& one : cases) {
      SCOPED_TRACE("--" + one.option);
      one.observe(start_once(one.base), start(one.base + one.given));
    }
  }

  /// With batch norm.
  Args resnet() {
    return {"--model", write("rn.json", R"({"embed_dim": 16,
      "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": null},
      "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2,
                   "layers": 1}})")};
  }

  std::vector<Case> data_cases();
  std::vector<Case> model_cases();
  std::vector<Case> optimisation_cases();
  std::vector<Case> run_cases();

  Args shards_;
  std::map<Args, Ran> kept_;
  int count_ = 0;
};

// ---- data ----

std::vector<Case> Options::data_cases() {
  std::string few = "filepath\ttitle\n", commas = "picture,other,words,title\n";
  for (int i = 0; i < kPairs; ++i) {
    const std::string file = path(std::to_string(i) + ".png");
    if (i < 12) few += file + "\t" + caption_of(i) + "\n";
    commas += file + "," + path(std::to_string((i + 1) % kPairs) + ".png") + "," + caption_of(i) +
              ",nothing\n";
  }
  write("few.tsv", few);
  write("commas.csv", commas);
  const Args csv = {"--train-data",  path("commas.csv"), "--csv-separator", ",",
                    "--csv-img-key", "picture"};
  const Args csv_all = csv + Args{"--csv-caption-key", "words"};
  const auto runs_only_with = [](const std::string& column) {
    return [column](const Ran& without, const Ran& with) {
      EXPECT_EQ(without.outcome.status, 1);
      EXPECT_NE(without.outcome.err.find(column), std::string::npos) << without.outcome.err;
      EXPECT_EQ(with.outcome.status, 0) << with.outcome.err;
    };
  };
  return {
      {"train-data", {}, {"--train-data", path("few.tsv")}, steps_are(4, 2)},
      {"train-data-upsampling-factors",
       shards_ + Args{"--dataset-resampled"},
       {"--train-data-upsampling-factors", "0::1"},
       weights_differ},
      {"val-data",
       {},
       {"--val-data", path("pairs.tsv")},
       only_second_has("checkpoints/results.jsonl")},
      {"train-num-samples", shards_, {"--train-num-samples", "12"}, steps_are(4, 2)},
      {"val-num-samples",
       {"--val-data", path("pairs.tsv")},
       {"--val-num-samples", "26"},
       [](const Ran& a, const Ran& b) {
         EXPECT_NE(a.log().find("Eval Epoch: 1 [6 / 0]"), std::string::npos) << a.log();
         EXPECT_NE(b.log().find("Eval Epoch: 1 [6 / 26]"), std::string::npos) << b.log();
       }},
      {"dataset-type",
       {"--train-num-samples", "24"},
       {"--dataset-type", "synthetic"},
       [](const Ran& a, const Ran& b) {
         weights_differ(a, b);  // of black pictures with one caption no loss is below ln 6
         EXPECT_NEAR(b.curve("train/loss").front(), std::log(6.0), 1e-4);
       }},
      {"dataset-resampled", shards_, {"--dataset-resampled"}, weights_differ},
      {"csv-separator",
       {"--train-data", path("commas.csv"), "--csv-img-key", "picture"},
       {"--csv-separator", ","},
       runs_only_with("commas.csv")},
      {"csv-img-key", csv_all, {"--csv-img-key", "other"}, weights_differ},
      {"csv-caption-key", csv, {"--csv-caption-key", "words"}, weights_differ},
      {"json-text-key", shards_, {"--json-text-key", "caption"}, weights_differ},
      // Three workers give as many batches each: 6 where 4 were asked for.
      {"workers", shards_, {"--workers", "3"}, steps_are(4, 6)},
      {"batch-size", {}, {"--batch-size", "4"}, steps_are(4, 6)},
  };
}

TEST_F(Options, OfDataHaveTheirMeaning) { expect_cases(data_cases()); }

TEST_F(Options, OfImageNetHaveTheirMeaning) {
  // One picture of each class, which all look alike to a model that has learned nothing.
  for (int64_t label = 0; label < 1000; ++label) {
    const std::string id(datasets::wordnet_ids("imagenet1k")[static_cast<size_t>(label)]);
    for (const std::string& folder : {"val/" + id, "v2/" + std::to_string(label)}) {
      fs::create_directories(folder_ / folder);
      fs::create_hard_link(path(std::to_string(label % kPairs) + ".png"),
                           folder_ / folder / "x.png");
    }
  }
  const Ran ran = start({"--imagenet-val", path("val"), "--imagenet-v2", path("v2"), "--nproc", "2",
                         "--batch-size", "3"});
  ASSERT_EQ(ran.outcome.status, 0) << ran.outcome.err;
  ASSERT_EQ(ran.results().size(), 1U);
  const OrderedJson result = ran.results()[0];
  for (const std::string set : {"imagenet", "imagenetv2"}) {
    const double top1 = result[set + "-zeroshot-val-top1"],
                 top5 = result[set + "-zeroshot-val-top5"];
    EXPECT_LE(top1, 0.05);
    EXPECT_GE(top5, top1);
    EXPECT_GE(top5, 0.001);
  }
}

// ---- model ----

std::vector<Case> Options::model_cases() {
  const Ran& plain = start_once({});
  const std::string pretrained = (plain.folder / "checkpoints/epoch_1.pt").string();
  const Args still = {"--lr", "0"};
  const std::string mean = "visual.bn1.running_mean";
  return {
      {"model",
       {},
       {"--model", path("model.json")},
       [](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         EXPECT_TRUE(b.weights().contains("visual.trunk.stem.0.weight"));
         EXPECT_FALSE(a.weights().contains("visual.trunk.stem.0.weight"));
       }},
      {"pretrained",
       still,
       {"--pretrained", pretrained},
       [&plain](const Ran& a, const Ran& b) {
         weights_differ(a, b);
         EXPECT_TRUE(changed(plain.weights(), b.weights()).empty());
       }},
      {"precision", {}, {"--precision", "amp_bf16"}, weights_differ},
      {"precision",
       {"--precision", "amp_bf16"},
       {"--precision", "amp_bfloat16"},
       weights_are_equal},
      {"precision", {"--precision", "bf16"}, {"--precision", "pure_bf16"}, weights_differ},
      {"lock-image",
       still,
       {"--lr", "1e-3", "--lock-image"},
       only_some_move([](const std::string& name) { return !is_image(name); })},
      {"lock-image-unlocked-groups",
       still,
       {"--lr", "1e-3", "--lock-image", "--lock-image-unlocked-groups", "1"},
       [](const Ran& a, const Ran& b) {
         only_some_move([](const std::string& name) {
           return !is_image(name) || name == "visual.proj";
         })(a, b);
         EXPECT_TRUE(contains(changed(a.weights(), b.weights()), "visual.proj"));
       }},
      {"lock-image-freeze-bn-stats",
       resnet() + Args{"--lock-image"},
       {"--lock-image-freeze-bn-stats"},
       [mean](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         const auto moves = [](float x) { return x != 0; };
         const auto free = a.weights().at(mean), frozen = b.weights().at(mean);
         EXPECT_TRUE(std::any_of(free.begin(), free.end(), moves));
         EXPECT_FALSE(std::any_of(frozen.begin(), frozen.end(), moves));
       }},
      {"lock-text",
       still,
       {"--lr", "1e-3", "--lock-text"},
       only_some_move([](const std::string& name) { return !is_text(name); })},
      {"lock-text-unlocked-layers",
       still,
       {"--lr", "1e-3", "--lock-text", "--lock-text-unlocked-layers", "1"},
       [](const Ran& a, const Ran& b) {
         only_some_move([](const std::string& name) {
           return !is_text(name) || name == "text_projection";
         })(a, b);
         EXPECT_TRUE(contains(changed(a.weights(), b.weights()), "text_projection"));
       }},
      // In CLIP's own text towers layer norms are parameters like others, which the reference has
      // the user say: it refuses to lock without.
      {"lock-text-freeze-layer-norm",
       {"--lock-text"},
       {"--lock-text-freeze-layer-norm"},
       [](const Ran& a, const Ran& b) {
         weights_are_equal(a, b);
         const auto norm = b.weights().at("ln_final.weight");
         EXPECT_TRUE(std::all_of(norm.begin(), norm.end(), [](float x) { return x == 1; }));
       }},
      {"image-interpolation",
       {"--aug-cfg", "use_timm=True"},
       {"--image-interpolation", "bilinear"},
       weights_differ},
      {"image-interpolation",
       {"--aug-cfg", "use_timm=True"},
       {"--image-interpolation", "random"},
       weights_differ},
      {"aug-cfg", {}, {"--aug-cfg", "scale=(0.2, 0.5)"}, weights_differ},
      {"aug-cfg",
       {"--aug-cfg", "use_timm=True"},
       {"--aug-cfg", "use_timm=True", "re_prob=1.0"},
       weights_differ},
      {"force-image-size",
       {},
       {"--force-image-size", "48"},
       [](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         EXPECT_EQ(a.weights().at("visual.positional_embedding").size(), (16U + 1) * 32);
         EXPECT_EQ(b.weights().at("visual.positional_embedding").size(), (36U + 1) * 32);
       }},
      {"siglip",
       {},
       {"--siglip"},
       [](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         EXPECT_FALSE(a.weights().contains("logit_bias"));
         EXPECT_NEAR(b.weights().at("logit_bias")[0], -10, 0.1);
       }},
      {"distill-model",
       {},
       {"--distill-model", path("vit.json"), "--distill-pretrained", pretrained},
       [](const Ran& a, const Ran& b) {
         weights_differ(a, b);
         EXPECT_TRUE(a.curve("train/distill_loss").empty());
         const auto total = b.curve("train/loss"), contrastive = b.curve("train/contrastive_loss"),
                    distill = b.curve("train/distill_loss");
         ASSERT_EQ(distill.size(), 4U);
         for (size_t i = 0; i < 4; ++i) {
           EXPECT_NEAR(total[i], contrastive[i] + distill[i], 1e-6);
           EXPECT_GT(distill[i], 0);
         }
         EXPECT_NE(b.log().find(" Distill_loss: "), std::string::npos);
       }},
  };
}

TEST_F(Options, OfTheModelHaveTheirMeaning) { expect_cases(model_cases()); }

constexpr std::string_view kTrunk = "visual.trunk.";

/// timm's checkpoint with a run's trunk, and a classifier, as bytes.
std::string timm_file(const Ran& ran, const fs::path& file) {
  weights::TensorMap tensors = {{"head.fc.weight", weights::make_tensor({1}, std::array{0.0F})}};
  for (const auto& [name, tensor] :
       weights::open_checkpoint(ran.folder / "checkpoints/epoch_1.pt").tensors) {
    if (name.starts_with(kTrunk)) tensors.emplace(name.substr(kTrunk.size()), tensor);
  }
  weights::write_safetensors(file, tensors, {});
  return read_file(file);
}

void expect_trunk_of(const Ran& donor, const Ran& still, const Ran& with) {
  only_some_move([](const std::string& name) { return name.starts_with(kTrunk); })(still, with);
  for (const std::string& name : changed(donor.weights(), with.weights())) {
    EXPECT_FALSE(name.starts_with(kTrunk)) << name;
  }
}

TEST_F(Options, PretrainedImageBeginsWithTimmsTrunk) {
  const Args model = {"--model", path("model.json")};
  const Args still = model + Args{"--lr", "0", "--seed", "5"};
  const Args given = still + Args{"--pretrained-image"};
  const Ran donor = start(model), random = start(still);
  ASSERT_EQ(donor.outcome.status, 0) << donor.outcome.err;
  const std::string file = timm_file(donor, folder_ / "timm.safetensors");
  const std::map<std::string, hub::TestHub::File> files = {{"model.safetensors", {file, true}}};
  hub::TestHub stand_in(files);
  stand_in.hook = [](const net::TestRequest& request) -> std::optional<net::TestAnswer> {
    std::string address = request.path;
    const std::string wanted = "/timm/convnext_atto.d2_in1k/";
    const size_t at = address.find(wanted);
    if (at == std::string::npos) return std::nullopt;
    return net::TestAnswer{
        .status = 307,
        .headers = {"Location: " + address.replace(at, wanted.size(), "/org/model/")}};
  };
  std::map<std::string, std::string> environment = {{"HF_ENDPOINT", stand_in.url()},
                                                    {"HF_HUB_CACHE", path("hub")},
                                                    {"HF_TOKEN", ""},
                                                    {"HF_HUB_OFFLINE", "1"},
                                                    {"no_proxy", "127.0.0.1"}};
  const Ran refused = start(given, environment);
  EXPECT_EQ(refused.outcome.status, 1);
  EXPECT_NE(refused.outcome.err.find("`clipnext pull hf-hub:timm/convnext_atto.d2_in1k --include "
                                     "model.safetensors`"),
            std::string::npos)
      << refused.outcome.err;

  environment["HF_HUB_OFFLINE"] = "";
  const Ran two = start(given + Args{"--nproc", "2", "--batch-size", "3"}, environment);
  expect_trunk_of(donor, random, two);
  const int64_t served = stand_in.bytes_served();
  EXPECT_LT(served, 1.5 * static_cast<double>(file.size()));  // one process fetches
  environment["HF_HUB_OFFLINE"] = "1";
  expect_trunk_of(donor, random, start(given, environment));
  EXPECT_EQ(stand_in.bytes_served(), served);

  const Ran vit = start({"--pretrained-image"}, environment);
  EXPECT_EQ(vit.outcome.status, 1);
  EXPECT_NE(vit.outcome.err.find("--pretrained-image: vit has no image tower of timm"),
            std::string::npos)
      << vit.outcome.err;
}

// ---- optimisation ----

std::vector<Case> Options::optimisation_cases() {
  const auto cosine = [](int step, int steps) {
    return 0.5e-3 * (1 + std::cos(M_PI * (step - 1) / (steps - 1)));
  };
  const std::vector<double> four = {1e-3, cosine(1, 4), cosine(2, 4), cosine(3, 4)};
  const Args sgd = {"--opt", "timm/sgd", "--lr", "0.1"};
  const Args muon = {"--opt", "timm/muon"};
  const Args two = sgd + Args{"--nproc", "2", "--batch-size", "3", "--in-order"};
  return {
      {"epochs", {}, {"--epochs", "2"}, only_second_has("checkpoints/epoch_2.pt")},
      {"lr", {}, {"--lr", "2e-3"}, rates_are(four, {2e-3, 2 * four[1], 2 * four[2], 2 * four[3]})},
      {"warmup", {}, {"--warmup", "4"}, rates_are(four, {0.25e-3, 0.5e-3, 0.75e-3, 1e-3})},
      {"lr-scheduler", {}, {"--lr-scheduler", "const"}, rates_are(four, {1e-3, 1e-3, 1e-3, 1e-3})},
      {"epochs-cooldown",
       {"--epochs", "2", "--lr-scheduler", "const-cooldown", "--epochs-cooldown", "1"},
       {"--epochs-cooldown", "2"},
       rates_are({1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 0.75e-3, 0.5e-3, 0.25e-3},
                 {1e-3, 0.875e-3, 0.75e-3, 0.625e-3, 0.5e-3, 0.375e-3, 0.25e-3, 0.125e-3})},
      {"beta1", {}, {"--beta1", "0.5"}, weights_differ},
      {"beta2", {}, {"--beta2", "0.5"}, weights_differ},
      {"eps", {}, {"--eps", "1e-2"}, weights_differ},
      {"wd",
       {},
       {"--wd", "0"},
       [](const Ran& a, const Ran& b) {
         weights_differ(a, b);
         // Rows of the embedding that no text uses: decay alone moves them.
         const auto decayed = a.weights().at("token_embedding.weight");
         const auto free = b.weights().at("token_embedding.weight");
         const double kept = (1 - 0.2e-3) * (1 - 0.2 * 0.75e-3) * (1 - 0.2 * 0.25e-3);
         EXPECT_NEAR(decayed[1000] / free[1000], kept * (1 - 0.2e-3), 2e-6);
       }},
      {"opt", {}, {"--opt", "nadamw"}, weights_differ},
      {"opt", {}, {"--opt", "timm/lion"}, weights_differ},
      {"opt", sgd, {"--momentum", "0.5"}, weights_differ},
      {"opt", {"--opt", "nadamw"}, {"--opt-kwargs", "momentum_decay=1.0"}, weights_differ},
      {"opt", muon, {"--opt-kwargs", "fallback_lr_scale=0.5"}, weights_differ},
      {"opt-fallback-list",
       muon,
       {"--opt-fallback-list", "*in_proj_weight"},
       [](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         const std::string name = "transformer.resblocks.0.attn.in_proj_weight";
         const auto names = changed(a.weights(), b.weights());
         EXPECT_TRUE(contains(names, name));
         EXPECT_TRUE(contains(names, "visual." + name));
       }},
      {"image-layer-decay",
       {},
       {"--image-layer-decay", "0.5"},
       [](const Ran& a, const Ran& b) {
         weights_differ(a, b);
         EXPECT_TRUE(contains(changed(a.weights(), b.weights()), "visual.conv1.weight"));
       }},
      {"text-layer-decay", {}, {"--text-layer-decay", "0.5"}, weights_differ},
      {"grad-clip-norm", sgd, {"--grad-clip-norm", "0.01"}, weights_differ},
      {"grad-clip-norm",
       sgd + Args{"--grad-clip-norm", "0.01"},
       {"--clip-grad-norm", "0.01"},
       weights_are_equal},
      {"accum-freq", {}, {"--accum-freq", "2"}, steps_are(4, 2)},
      // Half of the towers' gradient without it, which SGD does not hide as Adam does.
      {"gather-with-grad", two, {"--gather-with-grad"}, weights_differ},
      {"local-loss",
       two,
       {"--local-loss"},
       [](const Ran& a, const Ran& b) {
         EXPECT_EQ(a.outcome.status, 0) << a.outcome.err;
         EXPECT_EQ(b.outcome.status, 2);
         EXPECT_NE(b.outcome.err.find("--gather-with-grad"), std::string::npos);
       }},
      {"seed", {}, {"--seed", "1"}, weights_differ},
      {"use-bn-sync",
       resnet() + Args{"--nproc", "2", "--batch-size", "3"},
       {"--use-bn-sync"},
       [](const Ran& a, const Ran& b) {
         weights_differ(a, b);
         EXPECT_TRUE(contains(changed(a.weights(), b.weights()), "visual.bn1.running_mean"));
       }},
      {"use-bn-sync", resnet(), {"--use-bn-sync"}, weights_are_equal},
  };
}

TEST_F(Options, OfOptimisationHaveTheirMeaning) { expect_cases(optimisation_cases()); }

// ---- run control, logging, distribution ----

std::vector<Case> Options::run_cases() {
  const Args two_epochs = {"--epochs", "2"};
  data::TarWriter tar(folder_ / "0.tar");
  for (int i = 0; i < 9; ++i) {
    tar.add("s" + std::to_string(i) + ".cls", std::to_string(i % 3));
    tar.add("s" + std::to_string(i) + ".png", picture_of(i));
  }
  tar.commit();
  write("set/classnames.txt", "cat\ndog\nbird\n");
  write("set/zeroshot_classification_templates.txt", "a {c}\nthe {c}\n");
  write("set/test/nshards.txt", "1\n");
  fs::rename(folder_ / "0.tar", folder_ / "set/test/0.tar");
  const Args zero_shot = {"--zeroshot-data", path("set"), "--epochs", "3"};
  const Args validates = {"--val-data", path("pairs.tsv"), "--epochs", "3"};
  const auto results_are = [](size_t without, size_t with) {
    return [=](const Ran& a, const Ran& b) {
      both_end_well(a, b);
      EXPECT_EQ(a.results().size(), without);
      EXPECT_EQ(b.results().size(), with);
    };
  };
  const auto params_say = [](const std::string& line) {
    return [line](const Ran& a, const Ran& b) {
      both_end_well(a, b);
      EXPECT_EQ(a.text("params.txt").find(line), std::string::npos);
      EXPECT_NE(b.text("params.txt").find(line), std::string::npos);
    };
  };
  const auto lies_at = [](const std::string& folder) {
    return [folder](const Ran& a, const Ran& b) {
      both_end_well(a, b);
      EXPECT_FALSE(fs::exists(b.folder));
      EXPECT_TRUE(fs::exists(folder + "/out.log")) << folder;
      EXPECT_TRUE(fs::exists(folder + "/checkpoints/epoch_1.pt")) << folder;
    };
  };
  const auto train_lines = [](const Ran& ran) {
    int64_t lines = 0;
    const std::string log = ran.log();
    for (size_t at = log.find("Train Epoch"); at != std::string::npos;
         at = log.find("Train Epoch", at + 1)) {
      ++lines;
    }
    return lines;
  };
  return {
      {"logs", {}, {"--logs", path("elsewhere"), "--name", "x"}, lies_at(path("elsewhere/x"))},
      {"logs",
       {},
       {"--logs", "None", "--name", "y"},
       [this](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         EXPECT_FALSE(fs::exists(path("logs/y")));
       }},
      {"name", {}, {"--name", "called"}, lies_at(path("logs/called"))},
      {"save-frequency",
       two_epochs,
       {"--save-frequency", "0"},
       [](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         EXPECT_TRUE(a.has("checkpoints/epoch_1.pt"));
         EXPECT_FALSE(b.has("checkpoints/epoch_1.pt"));
         EXPECT_TRUE(b.has("checkpoints/epoch_2.pt"));
       }},
      {"save-most-recent",
       {},
       {"--save-most-recent"},
       only_second_has("checkpoints/epoch_latest.pt")},
      {"delete-previous-checkpoint",
       two_epochs,
       {"--delete-previous-checkpoint"},
       [](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         EXPECT_TRUE(a.has("checkpoints/epoch_1.pt"));
         EXPECT_FALSE(b.has("checkpoints/epoch_1.pt"));
         EXPECT_TRUE(b.has("checkpoints/epoch_2.pt"));
       }},
      {"zeroshot-frequency", zero_shot, {"--zeroshot-frequency", "1"}, results_are(2, 3)},
      {"val-frequency", validates, {"--val-frequency", "2"}, results_are(3, 2)},
      // Of float32 features scores are float32 in any case; of bfloat16 ones some become equal.
      {"val-retrieval-precision",
       {"--val-data", path("pairs.tsv")},
       {"--val-retrieval-precision", "model"},
       [](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         EXPECT_EQ(a.results(), b.results());
       }},
      {"val-retrieval-precision",
       {"--val-data", path("pairs.tsv"), "--precision", "pure_bf16"},
       {"--val-retrieval-precision", "model"},
       [](const Ran& a, const Ran& b) {
         weights_are_equal(a, b);
         EXPECT_NE(a.results(), b.results());
         EXPECT_EQ(a.results()[0]["clip_val_loss"], b.results()[0]["clip_val_loss"]);
       }},
      {"log-every-n-steps",
       {},
       {"--log-every-n-steps", "3"},
       [=](const Ran& a, const Ran& b) {
         both_end_well(a, b);
         EXPECT_EQ(train_lines(a), 4);
         EXPECT_EQ(train_lines(b), 2);  // steps 0 and 3, the latter the last
       }},
      {"report-to", {}, {"--report-to", "tensorboard"}, only_second_has("tensorboard")},
      {"report-to",
       {},
       {"--report-to", "wandb"},
       [](const Ran& a, const Ran& b) {
         only_second_has("tensorboard")(a, b);  // which `wandb sync` reads
         EXPECT_NE(b.log().find("wandb sync"), std::string::npos);
       }},
      {"wandb-notes", {}, {"--wandb-notes", "a try"}, params_say("wandb_notes: a try\n")},
      {"wandb-project-name",
       {},
       {"--wandb-project-name", "mine"},
       params_say("wandb_project_name: mine\n")},
      // A promise to DDP, that nothing here needs: results are the same.
      {"ddp-static-graph", {}, {"--ddp-static-graph"}, weights_are_equal},
  };
}

TEST_F(Options, OfTheRunHaveTheirMeaning) { expect_cases(run_cases()); }

TEST_F(Options, ZeroShotOverSeveralProcessesGivesTheNumbersOfOne) {
  run_cases();  // writes the set
  const Args same = {"--zeroshot-data", path("set"),       "--lr",         "0",
                     "--val-data",      path("pairs.tsv"), "--local-loss", "--gather-with-grad"};
  const Ran one = start(same), three = start(same + Args{"--nproc", "3", "--batch-size", "2"});
  both_end_well(one, three);
  for (const char* metric : {"set-zeroshot-top1", "set-zeroshot-top5", "image_to_text_R@1",
                             "text_to_image_mean_rank", "num_samples"}) {
    EXPECT_EQ(one.results()[0][metric], three.results()[0][metric]) << metric;
  }
}

// ---- all of them ----

TEST_F(Options, MarkedSOrCHaveACaseEach) {
  std::map<std::string, int> cases = {{"imagenet-val", 1}, {"imagenet-v2", 1}};
  for (const auto& group : {data_cases(), model_cases(), optimisation_cases(), run_cases()}) {
    for (const Case& one : group) ++cases[one.option];
  }
  for (const Elsewhere& other : kElsewhere) {
    EXPECT_NE(read_file(source_path(other.file)).find(other.test), std::string::npos)
        << other.file << " has no " << other.test;
    ++cases[other.option];
  }
  for (const char* option : kMarked) {
    EXPECT_NE(run::find_option(option), nullptr) << option;
    EXPECT_TRUE(cases.contains(option)) << "--" << option << " has no case";
  }
}

}  // namespace
}  // namespace clipnext::e2e

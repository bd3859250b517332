// soup: averages as a user makes them.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/random.h"
#include "e2e/program.h"
#include "weights/checkpoint.h"
#include "weights/torch_value.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;
using weights::TensorMap;
using weights::TorchValue;

const char* const kDemo = "models/emoji-convnext-atto";

class Soup : public Program {
 protected:
  /// The demo model's weights in float32, with noise by rule.
  static TensorMap variant(uint64_t seed, float amount) {
    TensorMap tensors =
        weights::open_checkpoint(source_path(std::string(kDemo) + "/open_clip_model.safetensors"))
            .tensors;
    uint64_t key = seed * 1000;
    for (auto& [name, tensor] : tensors) {
      std::vector<float> values = weights::to_f32(tensor);
      RandomStream random(random_key(5, ++key));
      if (name != "logit_scale") {
        for (float& x : values) x *= 1 + amount * static_cast<float>(random.unit() - 0.5);
      }
      tensor = weights::make_tensor(tensor.shape, values);
    }
    return tensors;
  }

  /// A model folder of such a variant.
  std::string model(const std::string& name, uint64_t seed, float amount = 0.02f) const {
    fs::create_directories(folder_ / name);
    fs::copy_file(source_path(std::string(kDemo) + "/open_clip_config.json"),
                  folder_ / name / "open_clip_config.json", fs::copy_options::overwrite_existing);
    weights::write_safetensors(folder_ / name / "open_clip_model.safetensors",
                               variant(seed, amount));
    return path(name);
  }

  /// A checkpoint of open_clip's trainer, in several processes.
  std::string training_checkpoint(const std::string& name, const TensorMap& tensors) const {
    TorchValue state = weights::torch_dict(/*ordered=*/true);
    for (const auto& [key, tensor] : tensors) {
      state.add("module." + key, weights::torch_tensor(tensor));
    }
    TorchValue root = weights::torch_dict();
    root.add("epoch", weights::torch_int(3));
    root.add("name", weights::torch_text("fine-tune"));
    root.add("state_dict", std::move(state));
    root.add("optimizer", weights::torch_dict());
    weights::write_torch_values(folder_ / name, root);
    return path(name);
  }

  Outcome soup(std::vector<std::string> args) const {
    args.insert(args.begin(), "soup");
    return run({.args = std::move(args), .environment = {{"CLIPNEXT_CACHE", path("cache")}}});
  }

  static TensorMap tensors_in(const std::string& folder) {
    return weights::open_checkpoint(folder + "/open_clip_model.safetensors").tensors;
  }

  static void expect_equal(const TensorMap& a, const TensorMap& b) {
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : a) {
      ASSERT_TRUE(b.contains(name)) << name;
      const auto& other = b.at(name);
      ASSERT_EQ(tensor.data.size(), other.data.size()) << name;
      EXPECT_EQ(std::memcmp(tensor.data.data(), other.data.data(), tensor.data.size()), 0) << name;
    }
  }

  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(Soup, OfOneModelInThreeFormatsIsThatModel) {
  const std::string a = model("a", 1);
  const TensorMap tensors = tensors_in(a);
  weights::write_torch_zip(folder_ / "b.bin", tensors);
  const std::string b = path("b.bin");
  const std::string c = training_checkpoint("epoch_3.pt", tensors);
  const Outcome outcome = soup({"uniform", "-o", path("out"), a, b, c, "--also-bin", "--smoke",
                                picture("taxi"), "a taxi", "a cactus"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("hold the same weights"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.out.find("a cactus"), std::string::npos) << outcome.out;
  expect_equal(tensors, tensors_in(path("out")));
  expect_equal(tensors, weights::open_checkpoint(path("out/open_clip_pytorch_model.bin")).tensors);

  const Json json = Json::parse(read(path("out/soup.json")));
  EXPECT_EQ(json["recipe"], "uniform");
  EXPECT_EQ(json["ingredients"].size(), 3U);
  EXPECT_EQ(json["ingredients"][2]["epoch"], "3");
  EXPECT_EQ(json["ingredients"][2]["declared_name"], "fine-tune");
  EXPECT_EQ(json["ingredients"][0]["sha256"].get<std::string>().size(), 64U);
  EXPECT_NE(json["sha256"], json["ingredients"][1]["sha256"]);
  // The result is a model as any other.
  EXPECT_EQ(
      run({"classify", picture("taxi"), "--labels", "a taxi,a cactus", "--model", path("out")})
          .status,
      0);
}

TEST_F(Soup, HalfwayIsTheMeanOfTwo) {
  const std::string a = model("a", 1);
  const std::string b = model("b", 2);
  ASSERT_EQ(soup({"uniform", "-o", path("mean"), a, b}).status, 0);
  ASSERT_EQ(soup({"interp", "-o", path("half"), a, b}).status, 0);
  ASSERT_EQ(soup({"weighted", "-o", path("w"), a + ":2", b + ":2"}).status, 0);
  ASSERT_EQ(soup({"interp", "-o", path("second"), "--alpha", "1", a, b}).status, 0);
  expect_equal(tensors_in(path("mean")), tensors_in(path("half")));
  expect_equal(tensors_in(path("mean")), tensors_in(path("w")));
  expect_equal(tensors_in(path("second")), tensors_in(b));
  EXPECT_EQ(Json::parse(read(path("half/soup.json")))["alpha"], 0.5);
  EXPECT_EQ(Json::parse(read(path("w/soup.json")))["ingredients"][1]["weight"], 0.5);
}

TEST_F(Soup, WhatDoesNotFitIsRefusedWithWhatDiffers) {
  const std::string a = model("a", 1);
  TensorMap tensors = variant(2, 0.02f);
  const auto gone = tensors.extract("ln_final.weight");
  weights::write_safetensors(folder_ / "b.safetensors", tensors);
  for (const char* command : {"uniform", "inspect"}) {
    std::vector<std::string> args = {command, a, path("b.safetensors")};
    if (args[0] == "uniform") args.insert(args.end(), {"-o", path("out")});
    const Outcome outcome = soup(args);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.err.find("missing (1):\n    ln_final.weight [128]"), std::string::npos)
        << outcome.err;
  }
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Soup, InspectMeasuresAndWritesNothing) {
  const std::string a = model("a", 1);
  const std::string b = model("b", 2);
  const std::string far = model("far", 3, 8.0f);
  const auto before = entries();
  const Outcome outcome = soup({"inspect", a, b, far, "--base", source_path(kDemo), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_TRUE(json["fit"]);
  ASSERT_EQ(json["distances"].size(), 3U);
  EXPECT_LT(json["distances"][0]["relative"], 0.02);
  EXPECT_GT(json["distances"][1]["relative"], 0.5);
  EXPECT_LT(std::abs(json["distances"][0]["cosine"].get<double>()), 0.2);
  EXPECT_TRUE(json["distances"][0]["groups"].contains("stage 2"));
  EXPECT_NE(outcome.err.find("probably not fine-tunes of one parent"), std::string::npos);
  EXPECT_EQ(entries(), before);
}

TEST_F(Soup, ADryRunWritesNothing) {
  const std::string a = model("a", 1);
  const auto before = entries();
  const Json json = soup({"uniform", "-o", path("out"), a, a, "--dry-run", "--json"}).json();
  EXPECT_TRUE(json["dry_run"]);
  EXPECT_EQ(json["ingredients"].size(), 2U);
  EXPECT_EQ(entries(), before);
}

TEST_F(Soup, WhatIsThereIsKeptUnlessForced) {
  const std::string a = model("a", 1);
  const std::string b = model("b", 2);
  ASSERT_EQ(soup({"uniform", "-o", path("out"), a}).status, 0);
  expect_error(soup({"uniform", "-o", path("out"), b}), 1, "--force");
  expect_equal(tensors_in(path("out")), tensors_in(a));
  ASSERT_EQ(soup({"uniform", "-o", path("out"), b, "--force"}).status, 0);
  expect_equal(tensors_in(path("out")), tensors_in(b));
}

TEST_F(Soup, AKillAtAnyTimeLeavesAWholeFolderOrNone) {
  const std::string a = model("a", 1);
  const std::string b = model("b", 2);
  ASSERT_EQ(soup({"uniform", "-o", path("whole"), a, b}).status, 0);
  const TensorMap whole = tensors_in(path("whole"));
  int killed = 0;
  for (const int ms : {5, 10, 20, 30, 40, 60, 80, 120, 200}) {
    const std::string out = path("out" + std::to_string(ms));
    const Outcome outcome =
        run({.args = {"soup", "uniform", "-o", out, a, b}, .kill_after_ms = ms});
    killed += outcome.status == 0 ? 0 : 1;
    if (!fs::exists(out)) continue;
    expect_equal(tensors_in(out), whole);
    EXPECT_EQ(Json::parse(read(out + "/soup.json"))["recipe"], "uniform");
  }
  EXPECT_GT(killed, 0);
}

TEST_F(Soup, AnInterruptLeavesNothing) {
  const std::string a = model("a", 1);
  const auto before = entries();
  const Outcome outcome = run({.args = {"soup", "greedy", "-o", path("out"), "--eval-command",
                                        "sleep 60; true", "--metric", "acc", a},
                               .interrupt_after_ms = 1500});
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_EQ(entries(), before);
}

TEST_F(Soup, BrokenCheckpointsAndCommandLinesAreNamed) {
  const std::string a = model("a", 1);
  const std::string whole = read(a + "/open_clip_model.safetensors");
  const std::string cut = write("cut.safetensors", whole.substr(0, whole.size() - 100));
  expect_error(soup({"uniform", "-o", path("out"), a, cut}), 1, "cut.safetensors");
  expect_error(soup({"uniform", "-o", path("out"), a, path("none")}), 1, "none");
  expect_error(soup({"weighted", "-o", path("out"), a}), 2, "PATH:WEIGHT");
  expect_error(soup({"unifrm", "-o", path("out"), a}), 2, "did you mean uniform");
  expect_error(soup({"interp", "-o", path("out"), a, a, "--alpha", "1.5"}), 2, "--alpha");
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Soup, GreedyByACommandGoesOnAfterAKillToTheSameTrace) {
  std::vector<std::string> models;
  for (uint64_t i = 0; i < 4; ++i) models.push_back(model("m" + std::to_string(i), i));
  // A score by the weights' bytes, so that it differs and repeats. With DIE the fourth call kills
  // the program that asks.
  const std::string script = write(
      "score.sh",
      "echo >> \"$CALLS\"\n"
      "if [ -n \"$DIE\" ] && [ \"$(wc -l < \"$CALLS\")\" -ge 4 ]; then\n"
      "  p=$PPID\n"
      "  until [ \"$(cat /proc/$p/comm)\" = clipnext ]; do p=$(cut -d' ' -f4 /proc/$p/stat); done\n"
      "  kill -9 $p; exit 1\n"
      "fi\n"
      "sum=$(cksum < \"$1/open_clip_model.safetensors\")\n"
      "echo progress; echo \"{\\\"acc\\\": 0.${sum%% *}}\"\n");
  const auto greedy = [&](const std::string& out, const std::string& calls, const char* die) {
    std::vector<std::string> all = {"soup",           "greedy",       "-o",       path(out),
                                    "--eval-command", "sh " + script, "--metric", "acc"};
    all.insert(all.end(), models.begin(), models.end());
    return run({.args = all, .environment = {{"CALLS", path(calls)}, {"DIE", die}}});
  };
  const Outcome whole = greedy("whole", "calls", "");
  ASSERT_EQ(whole.status, 0) << whole.err;
  EXPECT_EQ(read(path("calls")).size(), 7U);  // 2n - 1
  EXPECT_FALSE(fs::exists(path("whole.scores.jsonl")));

  EXPECT_EQ(greedy("resumed", "calls1", "1").status, 128 + 9);
  EXPECT_FALSE(fs::exists(path("resumed")));
  const Outcome resumed = greedy("resumed", "calls2", "");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("going on with 3 scores"), std::string::npos) << resumed.err;
  EXPECT_EQ(read(path("calls2")).size(), 4U);
  const Json a = Json::parse(read(path("whole/soup.json")));
  const Json b = Json::parse(read(path("resumed/soup.json")));
  EXPECT_EQ(a["greedy"], b["greedy"]);
  EXPECT_EQ(a["sha256"], b["sha256"]);
  EXPECT_EQ(a["greedy"].size(), 4U);
}

TEST_F(Soup, GreedyByADataSetScoresWhatEvalMeasures) {
  const std::string a = model("a", 1, 0.5f);
  const std::string b = model("b", 2, 0.5f);
  const std::vector<std::string> data = {"--eval", "wds/unseen", "--dataset_root",
                                         source_path("examples/emoji/{dataset}")};
  std::vector<std::string> args = {"greedy", "-o", path("out"), a, b, "--accept", "ge"};
  args.insert(args.end(), data.begin(), data.end());
  const Outcome outcome = soup(args);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = Json::parse(read(path("out/soup.json")));
  EXPECT_EQ(json["metric"], "acc1");
  EXPECT_EQ(json["evaluator"], "wds/unseen (test)");
  const Outcome measured =
      run({.args = {"eval", "--model", path("out"), "--pretrained", "x", "--dataset", "wds/unseen",
                    "--dataset_root", source_path("examples/emoji/{dataset}"), "--output",
                    path("result.json"), "--json"},
           .environment = {{"CLIPNEXT_CACHE", path("cache")}}});
  ASSERT_EQ(measured.status, 0) << measured.err;
  EXPECT_EQ(measured.json()["metrics"]["acc1"], json["scores"]["acc1"]);
}

TEST_F(Soup, ASweepMakesATableAndACurveAndKeepsTheBest) {
  const std::string a = model("a", 1, 0.01f);
  const std::string b = model("b", 2, 3.0f);
  const std::vector<std::string> data = {"--eval", "wds/unseen", "--dataset_root",
                                         source_path("examples/emoji/{dataset}")};
  std::vector<std::string> args = {"interp", "-o", path("out"), "--alpha", "0:1:0.5", a, b};
  args.insert(args.end(), data.begin(), data.end());
  const Outcome outcome = soup(args);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("alpha  acc1\n    0"), std::string::npos) << outcome.out;
  const Json points = Json::parse(read(path("out/wise-ft.json")));
  ASSERT_EQ(points.size(), 3U);
  double best = 0;
  for (const Json& point : points) best = std::max(best, point["value"].get<double>());
  EXPECT_EQ(Json::parse(read(path("out/soup.json")))["scores"]["acc1"], best);
  EXPECT_NE(read(path("out/wise-ft.svg")).find("<svg"), std::string::npos);

  std::vector<std::string> only_curve = {
      "interp", "--curve", path("c.svg"), "--alpha", "0:1:1", "--json", a, b};
  only_curve.insert(only_curve.end(), data.begin(), data.end());
  EXPECT_EQ(soup(only_curve).json()["points"].size(), 2U);
}

TEST_F(Soup, TestDataIsNoGroundToChooseBy) {
  const std::string a = model("a", 1);
  expect_error(soup({"greedy", "-o", path("out"), a, "--eval", "imagenet1k", "--split", "val"}), 2,
               "--i-know-this-is-test-data");
  expect_error(soup({"greedy", "-o", path("out"), a, "--eval", "wds/vtab/cifar10"}), 2,
               "test data");
  expect_error(soup({"greedy", "-o", path("out"), a, "--eval", "imagenet1k", "--dataset_root",
                     path("no"), "--i-know-this-is-test-data"}),
               1, "no");
}

}  // namespace
}  // namespace clipnext::e2e

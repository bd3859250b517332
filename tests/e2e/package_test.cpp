// package: folders that are opened again, and those that are not written.
#include <algorithm>
#include <limits>

#include "base/file.h"
#include "e2e/program.h"
#include "model/bind.h"
#include "model/source.h"
#include "model/training_state.h"
#include "weights/checkpoint.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

const char* const kModel = "models/emoji-convnext-atto";

// The vectors of pictures and texts, as bytes of a file.
std::string vectors(const std::string& model, const std::string& out) {
  const Outcome images = run({"embed", "--images", source_path("examples/emoji/pictures"), "--out",
                              out, "--model", model});
  EXPECT_EQ(images.status, 0) << images.err;
  const Outcome texts =
      run({.args = {"embed", "--texts", "-", "--out", out + ".t.npy", "--model", model},
           .input = "a taxi\na cactus in a pot\n"});
  EXPECT_EQ(texts.status, 0) << texts.err;
  return read(out) + read(out + ".t.npy");
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The demo model as epoch 3 of a run, with its config beside it.
std::string write_checkpoint(const fs::path& folder) {
  const model::Model demo = model::open_model(source_path(kModel));
  model::TrainingState state;
  state.epoch = 3;
  state.name = "first";
  auto params = model::bind_tensors(demo.config, demo.checkpoint.tensors, demo.name);
  model::visit(params, demo.config, [&](weights::Tensor& tensor, const model::ParamInfo& info) {
    state.weights[info.name] = weights::convert(tensor, weights::DType::kF32);
  });
  fs::create_directories(folder);
  fs::copy_file(source_path(std::string(kModel) + "/open_clip_config.json"),
                folder / "open_clip_config.json");
  const fs::path file = folder / "epoch_3.pt";
  model::write_training_checkpoint(file, state, demo.config);
  return file.string();
}

TEST_F(Program, PackageOfAModelGivesItsVectors) {
  const Outcome outcome =
      run({"package", source_path(kModel), "-o", path("p"), "--license", "mit", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_EQ(json["changed_values"], 0);
  EXPECT_EQ(json["card"], "written");
  EXPECT_EQ(names_in(path("p")),
            (std::vector<std::string>{"README.md", "merges.txt", "open_clip_config.json",
                                      "open_clip_model.safetensors", "special_tokens_map.json",
                                      "tokenizer.json", "tokenizer_config.json", "vocab.json"}));
  EXPECT_EQ(json["files"].size(), 8u);
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{"p"});
  EXPECT_NE(read(path("p/README.md")).find("\nlicense: mit\n"), std::string::npos);
  EXPECT_EQ(vectors(path("p"), path("a.npy")), vectors(source_path(kModel), path("b.npy")));
}

TEST_F(Program, PackageOfATrainingCheckpointGivesItsVectors) {
  const std::string checkpoint = write_checkpoint(folder_ / "run/checkpoints");
  const Outcome outcome = run({"package", checkpoint, "-o", path("p"), "--also-bin"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(read(path("p/README.md")).find("`epoch` `3` `name` `first`"), std::string::npos)
      << read(path("p/README.md"));
  const std::string expected = vectors(checkpoint, path("a.npy"));
  EXPECT_EQ(vectors(path("p"), path("b.npy")), expected);
  fs::remove(path("p/open_clip_model.safetensors"));
  EXPECT_EQ(vectors(path("p"), path("c.npy")), expected) << "of open_clip_pytorch_model.bin";
}

TEST_F(Program, PackageKilledLeavesNothingUnderTheName) {
  bool killed = false;
  for (int ms = 5; ms < 2000; ms += ms / 2 + 1) {
    const fs::path out = folder_ / ("p" + std::to_string(ms));
    const Outcome outcome =
        run({.args = {"package", source_path(kModel), "-o", out.string(), "--also-bin"},
             .kill_after_ms = ms});
    killed = killed || outcome.status == 128 + 9;
    if (!fs::exists(out)) continue;
    EXPECT_EQ(names_in(out).size(), 9u) << ms;
    EXPECT_EQ(run({"inspect", out.string()}).status, 0) << ms;
    if (outcome.status == 0) break;
  }
  EXPECT_TRUE(killed);
}

TEST_F(Program, PackageRefusesWhatIsNoWholeModel) {
  const auto tensors =
      weights::open_checkpoint(source_path(std::string(kModel) + "/open_clip_model.safetensors"))
          .tensors;
  fs::create_directory(path("m"));
  fs::copy_file(source_path(std::string(kModel) + "/open_clip_config.json"),
                path("m/open_clip_config.json"));
  const auto refuse = [&](const weights::TensorMap& changed, const std::string& part) {
    weights::write_safetensors(path("m/open_clip_model.safetensors"), changed);
    const Outcome outcome = run({"package", path("m"), "-o", path("p")});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_EQ(names_in(folder_), std::vector<std::string>{"m"});
  };
  auto changed = tensors;
  changed["logit_scale"] =
      weights::make_tensor({}, std::vector<float>{std::numeric_limits<float>::quiet_NaN()});
  refuse(changed, "logit_scale: 1 of 1 values are NaN or infinite");
  changed = tensors;
  changed.erase("text_projection");
  refuse(changed, "missing (1):\n    text_projection");
  changed = tensors;
  changed["extra"] = changed.at("logit_scale");
  refuse(changed, "unexpected (1):\n    extra");
}

TEST_F(Program, PackageRefusesWrongWords) {
  const std::string model = source_path(kModel);
  expect_error(run({"package", model, "-o", path("p"), "--license", "mit\nevil: true"}), 2,
               "--license");
  expect_error(run({"package", model, "-o", path("p"), "--dtype", "int8"}), 2, "--dtype");
  expect_error(run({"package", model}), 2, "--out");
  expect_error(run({"package", model, "-o", write("f", "x")}), 1, "is a file");
  fs::create_directory(path("d"));
  write("d/x", "x");
  expect_error(run({"package", model, "-o", path("d")}), 1, "something else");
  expect_error(run({"package", model, "-o", path("p"), "--data-description", "@" + path("no")}), 1,
               path("no"));
  EXPECT_FALSE(fs::exists(path("p")));
}

TEST_F(Program, PackageTellsOfSoupRunAndEvaluation) {
  fs::create_directory(path("soup"));
  for (const char* name : {"open_clip_config.json", "open_clip_model.safetensors"}) {
    fs::copy_file(source_path(std::string(kModel) + "/" + name), path(std::string("soup/") + name));
  }
  write("soup/soup.json", R"({"recipe": "uniform", "ingredients": [
    {"name": "a<b>.pt", "weight": 0.5, "declared_name": "run"}, {"name": "b.pt", "weight": 0.5}]})");
  fs::create_directories(path("logs/run"));
  fs::copy_file(source_path("tests/data/run/params.txt"), path("logs/run/params.txt"));
  fs::copy_file(source_path("tests/data/run/out.log"), path("logs/run/out.log"));
  write("seen.json", R"({"dataset": "wds/seen", "model": "m", "pretrained": "", "task":
    "zeroshot_classification", "metrics": {"acc1": 0.25}, "language": "en"})");
  const Outcome outcome = run({"package", path("soup"), "-o", path("p"), "--logs", path("logs"),
                               "--eval", path("seen.json"), "--name", "mine"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("the card lacks: licence (--license)"), std::string::npos);
  const std::string card = read(path("p/README.md"));
  for (const char* part :
       {"# Model card for mine\n", "plain mean of those of 2 checkpoints", "| `a<b>.pt` | `run` |",
        "| Learning rate | `5e-05` |", "| `wds/seen` | `m` | 25.00 |", "](training.svg)"}) {
    EXPECT_NE(card.find(part), std::string::npos) << part << "\n" << card;
  }
  EXPECT_EQ(read(path("p/soup.json")), read(path("soup/soup.json")));
  EXPECT_TRUE(read(path("p/training.svg")).starts_with("<svg"));
}

TEST_F(Program, PackageDryRunShowsTheCardAndWritesNothing) {
  const Outcome outcome = run({"package", source_path(kModel), "-o", path("p"), "--dry-run"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("# Model card for p\n"), std::string::npos);
  EXPECT_TRUE(names_in(folder_).empty());
}

}  // namespace
}  // namespace clipnext::e2e

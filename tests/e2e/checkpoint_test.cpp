// inspect, convert, models, profile.
#include "weights/checkpoint.h"

#include <algorithm>

#include "e2e/program.h"

namespace clipnext::e2e {
namespace {

const char* const kModel = "models/emoji-convnext-atto/open_clip_model.safetensors";

TEST_F(Program, InspectListsTensorsAndTotals) {
  const Json json = run({"inspect", source_path(kModel), "--json"}).json();
  EXPECT_EQ(json["format"], "safetensors");
  EXPECT_EQ(json["tensor_count"], json["tensors"].size());
  EXPECT_GT(json["value_count"].get<int64_t>(), 10'000'000);
  EXPECT_EQ(json["dtypes"]["F16"].get<int64_t>() + json["dtypes"]["F32"].get<int64_t>(),
            json["tensor_count"]);
  EXPECT_TRUE(json["config"].is_string());
  const Json stem = run({"inspect", source_path(kModel), "--filter", "stem.0.weight", "--json"})
                        .json()["tensors"];
  EXPECT_EQ(stem, Json::parse(
                      R"([{"name": "visual.trunk.stem.0.weight", "dtype": "F16",
                           "shape": [40, 3, 4, 4]}])"));
}

TEST_F(Program, InspectPrintsATable) {
  const Outcome outcome = run({"inspect", source_path("models/emoji-convnext-atto")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("logit_scale"), std::string::npos);
  EXPECT_NE(outcome.out.find("format    safetensors"), std::string::npos) << outcome.out;
}

TEST_F(Program, InspectNamesFilesThatAreNoCheckpoint) {
  expect_error(run({"inspect", path("none.pt")}), 1, "none.pt");
  expect_error(run({"inspect", write("text.pt", "no checkpoint")}), 1, "text.pt");
}

TEST_F(Program, ConvertKeepsEveryValueThroughEveryFormat) {
  std::string previous = source_path(kModel);
  for (const char* name : {"a.pt", "b.npz", "c.bin", "d.safetensors"}) {
    const Outcome outcome = run({"convert", previous, path(name), "--json"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.json()["lossless"], true);
    previous = path(name);
  }
  const auto before = weights::open_checkpoint(source_path(kModel)).tensors;
  const auto after = weights::open_checkpoint(previous).tensors;
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [name, tensor] : before) {
    ASSERT_TRUE(after.contains(name)) << name;
    EXPECT_EQ(after.at(name).dtype, tensor.dtype) << name;
    EXPECT_EQ(after.at(name).shape, tensor.shape) << name;
    EXPECT_TRUE(std::ranges::equal(after.at(name).data, tensor.data)) << name;
  }
}

TEST_F(Program, ConvertSaysWhetherValuesWereRounded) {
  const std::vector<float> values = {1.0f, 0.1f, -0.5f};
  weights::write_safetensors(path("x.safetensors"), {{"x", weights::make_tensor({3}, values)}});
  Json json =
      run({"convert", path("x.safetensors"), path("h.safetensors"), "--dtype", "fp16", "--json"})
          .json();
  EXPECT_EQ(json["lossless"], false);
  EXPECT_EQ(json["changed_values"], 1);
  json = run({"convert", path("h.safetensors"), path("f.npy"), "--dtype", "fp32", "--json"}).json();
  EXPECT_EQ(json["lossless"], true);
  const weights::Tensor x = weights::open_checkpoint(path("f.npy")).tensors.begin()->second;
  EXPECT_EQ(weights::to_f32(x), (std::vector<float>{1.0f, 0.0999755859375f, -0.5f}));
}

TEST_F(Program, ConvertWidensBf16ForNumpy) {
  const std::vector<float> values = {1.0f, -0.5f};
  weights::write_safetensors(path("x.safetensors"), {{"x", weights::make_tensor({2}, values)}});
  ASSERT_EQ(run({"convert", path("x.safetensors"), path("b.pt"), "--dtype", "bf16"}).status, 0);
  const Outcome outcome = run({"convert", path("b.pt"), path("b.npz")});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("bf16"), std::string::npos);
  EXPECT_EQ(weights::to_f32(weights::open_checkpoint(path("b.npz")).tensors.at("x")), values);
}

TEST_F(Program, ConvertRefusesWhatItCannotKeep) {
  const std::vector<float> values = {1e6f};
  weights::write_safetensors(path("x.safetensors"), {{"big", weights::make_tensor({1}, values)}});
  expect_error(run({"convert", path("x.safetensors"), path("h.pt"), "--dtype", "fp16"}), 1, "big");
  EXPECT_FALSE(std::filesystem::exists(path("h.pt")));
  expect_error(run({"convert", path("x.safetensors"), path("x.onnx")}), 2, "x.onnx");
  expect_error(run({"convert", path("x.safetensors"), path("y.pt"), "--dtype", "int8"}), 2, "int8");
  expect_error(run({"convert", source_path(kModel), path("x.npy")}), 1, ".npz");
  expect_error(run({"convert", path("none.pt"), path("y.pt")}), 1, "none.pt");
}

TEST_F(Program, ConvertedModelGivesTheSameEmbeddings) {
  const std::string folder = path("model");
  std::filesystem::create_directory(folder);
  write("model/open_clip_config.json",
        read(source_path("models/emoji-convnext-atto/open_clip_config.json")));
  ASSERT_EQ(run({"convert", source_path(kModel), folder + "/open_clip_model.safetensors", "--dtype",
                 "fp32"})
                .status,
            0);
  const std::vector<std::string> args = {"similarity", picture("taxi"), "--text", "taxi", "--json"};
  std::vector<std::string> converted = args;
  converted.insert(converted.end(), {"--model", folder});
  EXPECT_EQ(run(converted).json()["similarity"], run(args).json()["similarity"]);
}

TEST_F(Program, ModelsListsConfigurations) {
  const Json json = run({"models", "--json"}).json();
  EXPECT_GE(json["models"].size(), 40U);
  const Json one = run({"models", "convnext_large_d_320", "--json"}).json()["models"][0];
  EXPECT_EQ(one["name"], "convnext_large_d_320");
  EXPECT_EQ(one["image_size"], Json({320, 320}));
  EXPECT_EQ(one["vision"], "convnext");
  EXPECT_NE(run(std::vector<std::string>{"models"}).out.find("\nViT-B-32 "), std::string::npos);
  expect_error(run({"models", "nonsense"}), 1, "nonsense");
}

TEST_F(Program, ProfileCountsAndCompares) {
  const Json json =
      run({"profile", "convnext_large_d_320", "--compare", "ViT-L-14-336", "--json"}).json();
  // open_clip's docs table and the model card's ratios.
  EXPECT_NEAR(json["total"]["parameters"].get<double>(), 351.77e6, 0.01e6);
  EXPECT_EQ(json["image"]["flops"], 140251557888);
  EXPECT_EQ(json["text"]["flops"], 17732517888);
  EXPECT_NEAR(json["ratios"]["gmac"].get<double>(), 2.5, 0.05);
  EXPECT_NEAR(json["ratios"]["activations"].get<double>(), 2.8, 0.05);
  EXPECT_NEAR(json["ratios"]["parameters"].get<double>(), 1.22, 0.005);
  const Outcome text = run({"profile", "convnext_large_d_320"});
  EXPECT_NE(text.out.find("stage 2"), std::string::npos) << text.out;
  expect_error(run({"profile", "convnext_large_d_321"}), 1, "convnext_large_d_320");
}

}  // namespace
}  // namespace clipnext::e2e

#include "package/package.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "model/param_order.h"
#include "model/synthetic.h"
#include "model/training_state.h"
#include "package/card.h"
#include "package/facts.h"
#include "package/tokenizer_files.h"

namespace clipnext::package {
namespace {

namespace fs = std::filesystem;
using weights::DType;

constexpr const char* kConfig = R"({"model_cfg": {"embed_dim": 16,
  "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
  "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}},
  "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
                     "interpolation": "bilinear", "resize_mode": "squash"}})";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A folder with a small model in it.
class Package : public testing::Test {
 protected:
  Package() {
    fs::create_directory(folder_);
    write_file(folder_ / "open_clip_config.json", kConfig);
    const Json json = Json::parse(kConfig);
    config_ = model::parse_model_config(json.at("model_cfg"), "small", "small");
    tensors_ = model::synthetic_weights(config_, pool_);
    write_weights();
  }

  void write_weights() {
    weights::write_safetensors(folder_ / "open_clip_model.safetensors", tensors_);
  }

  Contents collected(const ContentOptions& options = {}) {
    return collect(model::open_model(folder_.string()), options, pool_);
  }

  std::string refusal(const ContentOptions& options = {}) {
    write_weights();
    return message_of([&] { collected(options); });
  }

  // Of one tensor, one value.
  void set(const std::string& name, std::initializer_list<float> values) {
    std::vector<float> all = weights::to_f32(tensors_.at(name));
    std::copy(values.begin(), values.end(), all.begin());
    tensors_.at(name) = weights::make_tensor(tensors_.at(name).shape, all);
  }

  const TestFolder temporary_;
  const fs::path folder_ = temporary_ / "model";
  const fs::path out_ = temporary_ / "out";
  ThreadPool pool_{2};
  model::ClipConfig config_;
  weights::TensorMap tensors_;
};

TEST_F(Package, ReopensWithEqualTensorsAndPreprocessing) {
  const Contents contents = collected();
  EXPECT_EQ(contents.changed, 0);
  const auto files = write_package(
      out_,
      {.contents = contents, .card = "card", .files = {{"a.svg", "<svg/>"}}, .also_bin = true},
      false);
  EXPECT_EQ(files.size(), 10u);
  const model::Model model = model::open_model(out_.string());
  EXPECT_EQ(model.config.preprocess, contents.config.preprocess);
  EXPECT_EQ(model.config.preprocess.resize_mode, image::ResizeMode::kSquash);
  EXPECT_EQ(model.checkpoint.metadata.at("format"), "pt");
  const auto torch = weights::open_checkpoint(out_ / "open_clip_pytorch_model.bin");
  ASSERT_EQ(model.checkpoint.tensors.size(), tensors_.size());
  for (const auto& [name, tensor] : tensors_) {
    EXPECT_EQ(weights::to_f32(model.checkpoint.tensors.at(name)), weights::to_f32(tensor)) << name;
    EXPECT_EQ(weights::to_f32(torch.tensors.at(name)), weights::to_f32(tensor)) << name;
  }
}

TEST_F(Package, RefusesValuesThatAreNoNumbers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinite = std::numeric_limits<float>::infinity();
  set("visual.ln_pre.weight", {nan, 1, infinite});
  set("ln_final.bias", {-infinite});
  const std::string message = refusal();
  EXPECT_TRUE(contains(message, "open_clip_model.safetensors: damaged weights")) << message;
  EXPECT_TRUE(contains(message, "visual.ln_pre.weight: 2 of 32 values")) << message;
  EXPECT_TRUE(contains(message, "ln_final.bias: 1 of 16 values")) << message;
}

TEST_F(Package, RefusesTensorsMissingAndTooMany) {
  tensors_["visual.stranger"] = tensors_.at("ln_final.bias");
  tensors_.erase("ln_final.bias");
  const std::string message = refusal();
  EXPECT_TRUE(contains(message, "missing (1):\n    ln_final.bias [16]")) << message;
  EXPECT_TRUE(contains(message, "unexpected (1):\n    visual.stranger")) << message;
}

TEST_F(Package, NarrowsAllButScalarsAndSaysWhatDoesNotFit) {
  set("logit_scale", {4.6051702f});
  write_weights();
  const Contents half = collected({.dtype = DType::kBF16});
  EXPECT_EQ(dtype_names(half.tensors), "BF16, F32");
  EXPECT_EQ(weights::to_f32(half.tensors.at("logit_scale")), std::vector<float>{4.6051702f});
  EXPECT_GT(half.changed, 0);
  EXPECT_EQ(dtype_names(collected({.dtype = DType::kF32}).tensors), "F32");
  set("ln_final.bias", {1e6f});
  const std::string message = refusal({.dtype = DType::kF16});
  EXPECT_TRUE(contains(message, "ln_final.bias: 1 of 16 values are beyond the range")) << message;
}

TEST_F(Package, TakesAnotherImageSize) {
  const Contents contents = collected({.image_size = 64});
  EXPECT_EQ(contents.config.image_height, 64);
  EXPECT_EQ(contents.config_json["model_cfg"]["vision_cfg"]["image_size"], 64);
  EXPECT_EQ(contents.tensors.at("visual.positional_embedding").shape, (weights::Shape{17, 32}));
}

TEST_F(Package, OfATrainingCheckpointTakesTheWeightsOrTheirAverage) {
  model::TrainingState state;
  state.epoch = 3;
  state.name = "run";
  state.weights = state.ema = tensors_;
  const std::array<float, 1> other = {2.5f};
  state.ema["logit_scale"] = weights::make_tensor({}, other);
  const fs::path file = folder_ / "epoch_3.pt";
  model::write_training_checkpoint(file, state, config_);
  const auto scale = [&](bool use_ema) {
    const Contents contents =
        collect(model::open_model(file.string()), {.use_ema = use_ema}, pool_);
    EXPECT_EQ(contents.tensors.size(), tensors_.size());
    return weights::to_f32(contents.tensors.at("logit_scale"));
  };
  EXPECT_EQ(scale(false), weights::to_f32(tensors_.at("logit_scale")));
  EXPECT_EQ(scale(true), std::vector<float>{2.5f});
  EXPECT_TRUE(contains(refusal({.use_ema = true}), "state_dict_ema"));
}

TEST_F(Package, SpellsNamesAsTheModelDoes) {
  Json json = Json::parse(kConfig);
  json["model_cfg"]["custom_text"] = true;
  write_file(folder_ / "open_clip_config.json", json.dump());
  const Contents contents = collected();
  EXPECT_TRUE(contents.tensors.contains("text.ln_final.bias"));
  EXPECT_TRUE(contents.tensors.contains("visual.conv1.weight"));
}

TEST_F(Package, LeavesAnEditedCardAlone) {
  const Contents contents = collected();
  CardFacts facts;
  facts.name = "small";
  facts.config = contents.config;
  const std::string card = model_card(facts, {}).text;
  const auto write = [&](const std::string& text, bool force) {
    write_package(out_, {.contents = contents, .card = text, .files = {}}, force);
    return read_file(out_ / kCardFile);
  };
  EXPECT_EQ(write(card, false), card);
  facts.name = "renamed";
  const std::string renamed = model_card(facts, {}).text;
  EXPECT_FALSE(keeps_card(out_, false));
  EXPECT_EQ(write(renamed, false), renamed);
  write_file(out_ / kCardFile, "mine");
  write_file(out_ / "notes.txt", "mine too");
  write_file(out_ / "open_clip_pytorch_model.bin", "of the model before");
  write_file(out_ / kTrainingChart, "in my card");
  EXPECT_TRUE(keeps_card(out_, false));
  EXPECT_EQ(write(card, false), "mine");
  EXPECT_TRUE(fs::exists(out_ / kTrainingChart));
  EXPECT_FALSE(fs::exists(out_ / "open_clip_pytorch_model.bin"));
  EXPECT_EQ(write(card, true), card);
  EXPECT_EQ(read_file(out_ / "notes.txt"), "mine too");
}

TEST_F(Package, StaysOutOfOtherFolders) {
  fs::create_directory(out_);
  EXPECT_FALSE(keeps_card(out_, false));
  write_file(out_ / "thesis.tex", "x");
  EXPECT_TRUE(contains(message_of([&] { keeps_card(out_, false); }), "folder of something else"));
  EXPECT_FALSE(keeps_card(out_, true));
  EXPECT_TRUE(contains(message_of([&] { keeps_card(out_ / "thesis.tex", true); }), "is a file"));
}

TEST(TokenizerFiles, ReadBackAsTheVocabularyTheyAreOf) {
  const auto vocabulary = text::embedded_vocabulary();
  const auto files = tokenizer_files(*vocabulary, 77);
  EXPECT_EQ(files.size(), 5u);
  const std::string merges = vocabulary->merges_text();
  EXPECT_EQ(text::parse_tokenizer_json(files.at("tokenizer.json"), "t")->merges_text(), merges);
  EXPECT_EQ(
      text::parse_merges_and_vocab({files.at("merges.txt"), "m"}, {files.at("vocab.json"), "v"})
          ->merges_text(),
      merges);
  EXPECT_EQ(Json::parse(files.at("tokenizer_config.json")).at("model_max_length"), 77);
}

}  // namespace
}  // namespace clipnext::package

#include "train/setup.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>

#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "model/source.h"
#include "run/training_config.h"
#include "weights/checkpoint.h"

namespace clipnext::train {
namespace {

constexpr const char* kConfig = R"({"model_cfg": {
  "embed_dim": 8,
  "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
  "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}}})";

/// Options that name a model folder, and checkpoints beside it.
class InitialParams : public ::testing::Test {
 protected:
  InitialParams() {
    std::filesystem::create_directory(folder_ / "model");
    write_file(folder_ / "model/open_clip_config.json", kConfig);
    options_.model = (folder_ / "model").string();
  }

  /// A checkpoint of the model that the options make, as `seed` begins it.
  std::string put(const std::string& name, const run::TrainOptions& options, uint64_t seed,
                  const std::map<std::string, std::string>& metadata = {}) {
    const model::ClipConfig config = run::training_config(options);
    Params params = make_params(config);
    initialise(params, config, seed);
    weights::write_safetensors(folder_ / name, to_tensors(params, config), metadata);
    return (folder_ / name).string();
  }

  Params initial(const run::TrainOptions& options) {
    notes_.clear();
    return initial_params(options, run::training_config(options), at::kCPU, notes_);
  }

  static at::Tensor tokens_of(const Params& params) { return params.text.token_embedding.detach(); }

  const TestFolder folder_;
  run::TrainOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(InitialParams, OfPretrainedComeBeforeTheFolders) {
  put("model/open_clip_model.safetensors", options_, 1);
  const at::Tensor of_folder = tokens_of(initial(options_));
  options_.pretrained = put("other.safetensors", options_, 2);
  const at::Tensor of_file = tokens_of(initial(options_));
  EXPECT_FALSE(at::equal(of_folder, of_file));
  options_.pretrained = put("same.safetensors", options_, 1);
  EXPECT_TRUE(at::equal(of_folder, tokens_of(initial(options_))));
}

TEST_F(InitialParams, TakenLooselyHaveTheirPositionsInterpolatedAsElsewhere) {
  run::TrainOptions longer = options_;
  longer.force_context_length = 12;
  longer.force_image_size = {48};
  options_.pretrained = put("longer.safetensors", longer, 1);
  Params strict = initial(options_);
  options_.pretrained_loose = true;
  Params loose = initial(options_);
  EXPECT_EQ(notes_, std::vector<std::string>());
  const auto config = run::training_config(options_);
  const auto want = to_tensors(strict, config);
  for (const auto& [name, tensor] : to_tensors(loose, config)) {
    EXPECT_EQ(weights::to_f32(tensor), weights::to_f32(want.at(name))) << name;
  }
}

TEST_F(InitialParams, TakenLooselyLeaveWhatDoesNotFitAsItBegins) {
  write_file(folder_ / "wide.json",
             R"({"embed_dim": 16,
  "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
  "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}})");
  run::TrainOptions wide;
  wide.model = (folder_ / "wide.json").string();
  put("model/open_clip_model.safetensors", wide, 1);  // of the folder it is taken loosely too
  options_.siglip = true;
  options_.seed = 5;
  EXPECT_NE(message_of([&] { initial(options_); }).find("text_projection is [16, 16]"),
            std::string::npos);
  options_.pretrained_loose = true;
  const Params loose = initial(options_);
  EXPECT_EQ(notes_, (std::vector<std::string>{
                        "begins at random: visual.proj is [16, 16], expected [16, 8]",
                        "begins at random: text_projection is [16, 16], expected [16, 8]",
                        "begins at random: logit_bias [] is missing"}));
  EXPECT_EQ(loose.logit_bias.item<float>(), -10);
  const auto config = run::training_config(options_);
  Params fresh = make_params(config);
  initialise(fresh, config, 5);
  EXPECT_TRUE(at::equal(loose.text.projection, fresh.text.projection));
  EXPECT_FALSE(at::equal(tokens_of(loose), tokens_of(fresh)));
}

constexpr std::string_view kTrunk = "visual.trunk.";
constexpr const char* kRepository = "models--timm--convnext_atto.d2_in1k";

/// A model with a trunk of timm, and a cache of the hub that has weights for it, offline.
class ImageWeights : public InitialParams {
 protected:
  ImageWeights() {
    write_file(folder_ / "convnext.json",
               R"({"embed_dim": 8,
  "vision_cfg": {"timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "linear",
                 "image_size": 32, "timm_model_kwargs": {"depths": [1, 1, 1, 1], "dims": [8, 8, 8, 8]}},
  "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}})");
    options_.model = (folder_ / "convnext.json").string();
    options_.pretrained_image = true;
    setenv("HF_HUB_CACHE", folder_.path().c_str(), 1);
    setenv("HF_HUB_OFFLINE", "1", 1);
  }
  ~ImageWeights() override {
    unsetenv("HF_HUB_CACHE");
    unsetenv("HF_HUB_OFFLINE");
  }

  /// The trunk of a model that begins from `seed`, by timm's names and with its classifier.
  weights::TensorMap timm_tensors(uint64_t seed) {
    Params params = fresh(seed);
    weights::TensorMap tensors = {
        {"head.fc.weight", weights::make_tensor({2, 8}, std::vector<float>(16))},
        {"head.fc.bias", weights::make_tensor({2}, std::vector<float>(2))}};
    for (const auto& [name, tensor] : to_tensors(params, config())) {
      if (name.starts_with(kTrunk)) tensors.emplace(name.substr(kTrunk.size()), tensor);
    }
    return tensors;
  }

  /// Where the hub's library keeps them.
  std::filesystem::path put_in_cache(const weights::TensorMap& tensors) {
    const std::string commit(40, 'a');
    const auto snapshot = folder_ / kRepository / "snapshots" / commit;
    std::filesystem::create_directories(snapshot);
    std::filesystem::create_directories(folder_ / kRepository / "refs");
    write_file(folder_ / kRepository / "refs/main", commit);
    weights::write_safetensors(snapshot / "model.safetensors", tensors);
    return snapshot / "model.safetensors";
  }

  model::ClipConfig config() const { return run::training_config(options_); }

  Params fresh(uint64_t seed) const {
    Params params = make_params(config());
    initialise(params, config(), seed);
    return params;
  }

  std::string load(Params& params) {
    notes_.clear();
    return load_image_weights(options_, config(), params, notes_);
  }
};

TEST_F(ImageWeights, AreTimmsOfTheTrunkAlone) {
  const auto file = put_in_cache(timm_tensors(7));
  Params params = fresh(0), begun = fresh(0), donor = fresh(7);
  EXPECT_EQ(load(params), file.string());
  EXPECT_EQ(notes_, std::vector<std::string>());
  const auto random = to_tensors(begun, config()), given = to_tensors(donor, config());
  for (const auto& [name, tensor] : to_tensors(params, config())) {
    const auto& want = name.starts_with(kTrunk) ? given : random;
    EXPECT_EQ(weights::to_f32(tensor), weights::to_f32(want.at(name))) << name;
  }
  EXPECT_NE(weights::to_f32(random.at("visual.trunk.stem.0.weight")),
            weights::to_f32(given.at("visual.trunk.stem.0.weight")));
}

TEST_F(ImageWeights, StayAsideWithoutTheOptionAndBesideACheckpoint) {
  put_in_cache(timm_tensors(7));
  Params params = fresh(0);
  const at::Tensor stem = std::get<model::ConvNextParams<at::Tensor>>(params.vision).stem0_weight;
  const at::Tensor before = stem.detach().clone();
  options_.pretrained = "epoch_1.pt";
  EXPECT_EQ(load(params), "");
  EXPECT_EQ(notes_, std::vector<std::string>{
                        "--pretrained-image has no effect: all weights are those of epoch_1.pt"});
  options_.pretrained = "";
  options_.pretrained_image = false;
  EXPECT_EQ(load(params), "");
  EXPECT_EQ(notes_, std::vector<std::string>());
  EXPECT_TRUE(at::equal(stem, before));
}

TEST_F(ImageWeights, ThatAreNotThereOrDoNotFitAreNamed) {
  Params params = fresh(0);
  const std::string absent = message_of([&] { load(params); });
  EXPECT_NE(
      absent.find("model.safetensors of hf-hub:timm/convnext_atto.d2_in1k: is not in the cache"),
      std::string::npos)
      << absent;
  weights::TensorMap tensors = timm_tensors(7);
  tensors.erase("stem.1.bias");
  tensors.at("head.norm.weight") = weights::make_tensor({9}, std::vector<float>(9));
  const auto file = put_in_cache(tensors);
  const std::string unfit = message_of([&] { load(params); });
  for (const std::string& part :
       std::vector<std::string>{file.string(), "stem.1.bias [8]", "head.norm.weight is [9]"}) {
    EXPECT_NE(unfit.find(part), std::string::npos) << part << " in\n" << unfit;
  }
}

TEST_F(ImageWeights, AreRefusedToOtherTowers) {
  options_.dataset_type = "synthetic";
  options_.lr = 1e-3;
  require_supported(options_, config());
  options_.model = (folder_ / "model").string();
  const std::string message = message_of([&] { require_supported(options_, config()); });
  EXPECT_NE(message.find("--pretrained-image: model has no image tower of timm"), std::string::npos)
      << message;
}

/// The same options, of which an optimizer is made.
class OptimizerGroups : public InitialParams {
 protected:
  Optimizer made() {
    const model::ClipConfig config = run::training_config(options_);
    params_ = make_params(config);
    return make_optimizer(options_, config, params_);
  }

  Params params_;
};

// With `*embedding*` open_clip's first parameter is of that group, and so the group comes first.
TEST_F(OptimizerGroups, OfMuonAreDividedByWhatIsLeftToAdamW) {
  options_.opt = "timm/muon";
  options_.lr = 1e-3;
  options_.opt_fallback_list = {"*embedding*", "visual.conv1.weight"};
  Optimizer optimizer = made();
  std::string summary;
  for (const SlotGroup& group : optimizer.groups()) {
    summary += group.slots[0].name + (group.weight_decay > 0 ? " decays" : "") +
               (group.fallback ? " by AdamW\n" : "\n");
    for (const Slot& slot : group.slots) {
      const bool matrix = slot.parameter.dim() > 1;
      EXPECT_EQ(slot.by_muon, matrix && !group.fallback) << slot.name;
      const bool named =
          slot.name.find("embedding") != std::string::npos || slot.name == "visual.conv1.weight";
      EXPECT_EQ(group.fallback, named) << slot.name;
    }
  }
  EXPECT_EQ(summary,
            "positional_embedding by AdamW\n"
            "text_projection decays\n"
            "logit_scale\n"
            "visual.conv1.weight decays by AdamW\n");
}

TEST_F(OptimizerGroups, OfMuonGoByTheNamesOfCheckpoints) {
  options_.opt = "timm/muon";
  options_.lr = 1e-3;
  options_.force_custom_text = true;
  options_.opt_fallback_list = {"text.token_*"};
  Optimizer optimizer = made();
  ASSERT_EQ(optimizer.groups().size(), 3U);
  EXPECT_TRUE(optimizer.groups()[2].fallback);
  EXPECT_EQ(optimizer.groups()[2].slots.at(0).name, "token_embedding.weight");
}

TEST_F(InitialParams, AreNotThoseOfAPackedFile) {
  options_.pretrained = put("packed.safetensors", options_, 1, {{model::kPackedMetadata, "{}"}});
  EXPECT_NE(message_of([&] { initial(options_); }).find("packed.safetensors: is a packed file"),
            std::string::npos);
}

TEST(SlowPrecision, IsOf16BitsOnAProcessorWithoutAvx512) {
  const kernels::Cpu old{.avx2 = true}, young{.avx2 = true, .avx512 = true};
  for (const char* name : {"amp", "amp_bf16", "bf16", "fp16", "pure_bf16", "pure_fp16"}) {
    const Precision precision = parse_precision(name);
    EXPECT_NE(slow_precision_note(precision, at::kCPU, old), "") << name;
    EXPECT_EQ(slow_precision_note(precision, at::kCPU, young), "") << name;
    EXPECT_EQ(slow_precision_note(precision, at::kCUDA, old), "") << name;
  }
  EXPECT_EQ(slow_precision_note(parse_precision("fp32"), at::kCPU, old), "");
}

}  // namespace
}  // namespace clipnext::train

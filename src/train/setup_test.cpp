#include "train/setup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

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

TEST_F(InitialParams, AreNotThoseOfAPackedFile) {
  options_.pretrained = put("packed.safetensors", options_, 1, {{model::kPackedMetadata, "{}"}});
  EXPECT_NE(message_of([&] { initial(options_); }).find("packed.safetensors: is a packed file"),
            std::string::npos);
}

}  // namespace
}  // namespace clipnext::train

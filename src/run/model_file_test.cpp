#include "run/model_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/test_folder.h"
#include "run/fixtures_test.h"
#include "run/training_config.h"

namespace clipnext::run {
namespace {

constexpr const char* kModel = R"({
  "embed_dim": 16,
  "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
  "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}})";

OrderedJson file_of(const std::string& model) {
  TrainOptions options;
  options.model = model;
  options.force_image_size = {64};
  return model_file(options);
}

TEST(ModelFile, HoldsTheConfigurationHoweverItIsNamed) {
  const TestFolder folder;
  write_file(folder / "mine.json", kModel);
  std::filesystem::create_directory(folder / "model");
  write_file(folder / "model/open_clip_config.json",
             std::string(R"({"model_cfg": )") + kModel + "}");
  const std::string path = (folder / "model").string();
  for (const std::string& model : {(folder / "mine.json").string(), path, "local-dir:" + path}) {
    const OrderedJson file = file_of(model);
    EXPECT_EQ(file["model_cfg"]["embed_dim"], 16) << model;
    EXPECT_EQ(file["model_cfg"]["vision_cfg"]["image_size"], 64) << model;
    EXPECT_TRUE(file["preprocess_cfg"].contains("mean")) << model;
  }
  EXPECT_EQ(file_of("ViT-B-32")["model_cfg"]["embed_dim"], 512);
}

TEST(ModelSource, OfWhatIsNotToBeTrainedSaysWhatToGive) {
  unsetenv("CLIPNEXT_MODEL");
  const TestFolder folder;
  const std::string checkpoint = (folder / "epoch_1.pt").string();
  write_file(checkpoint, "weights");
  // Beside it lies what other commands read it by.
  write_file(folder / "epoch_1.json", kModel);
  const std::string without = (folder / "without").string();
  std::filesystem::create_directory(without);
  const auto error_of = [](const std::string& model) {
    TrainOptions options;
    options.model = model;
    return message_of([&] { training_config(options); });
  };
  for (const auto& [model, part] :
       {std::pair(std::string("hf-hub:org/name@v1"),
                  std::string("`clipnext pull hf-hub:org/name@v1 -o FOLDER`")),
        {checkpoint, "--model NAME --pretrained " + checkpoint},
        {without, "has no open_clip_config.json"},
        {"", "--model is empty"},
        {"ViT-B-23", "no config of this name"}}) {
    const std::string error = error_of(model);
    EXPECT_NE(error.find(part), std::string::npos) << part << " is not in " << error;
  }
}

}  // namespace
}  // namespace clipnext::run

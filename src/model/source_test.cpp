#include "model/source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "model/bind.h"
#include "model/convnext_variants.h"
#include "model/demo.h"

namespace clipnext::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTinyConfig = R"({"model_cfg": {"embed_dim": 4,
  "vision_cfg": {"layers": 1, "width": 8, "head_width": 4, "patch_size": 16, "image_size": 32},
  "text_cfg": {"width": 8, "heads": 2, "layers": 1}},
  "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}})";

// A folder of its own for each test, and a CLIPNEXT_MODEL that is not set.
class Source : public ::testing::Test {
 protected:
  void SetUp() override { unsetenv("CLIPNEXT_MODEL"); }
  void TearDown() override { unsetenv("CLIPNEXT_MODEL"); }

  std::string put(const std::string& name, std::string_view content) {
    write_file(folder_ / name, content);
    return (folder_ / name).string();
  }

  // A checkpoint of one tensor, by which tests tell which file was opened.
  std::string put_weights(const std::string& name, float value,
                          const std::map<std::string, std::string>& metadata = {}) {
    const float values[] = {value};
    weights::write_safetensors(folder_ / name, {{"x", weights::make_tensor({1}, values)}},
                               metadata);
    return (folder_ / name).string();
  }

  static float opened(const Model& model) {
    return weights::to_f32(model.checkpoint.tensors.at("x")).at(0);
  }

  const TestFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

std::string error_of(const std::string& model, const std::string& pretrained = "") {
  return message_of([&] { open_model(model, pretrained); });
}

#define EXPECT_ERROR(error, part) \
  EXPECT_NE((error).find(part), std::string::npos) << "\"" << (error) << "\" lacks " << (part)

TEST_F(Source, IsToldByItsNameAndWhatLiesThere) {
  const std::string config = put("mine.json", kTinyConfig), checkpoint = put("mine.pt", "");
  const std::string folder = folder_.string();
  for (const auto& [given, kind, name] :
       {std::tuple(std::string(""), SourceKind::kDemo, std::string("")),
        {"ViT-B-32", SourceKind::kConfigName, "ViT-B-32"},
        {config, SourceKind::kConfigJson, config},
        {folder, SourceKind::kFolder, folder},
        {"local-dir:" + folder, SourceKind::kFolder, folder},
        {"hf-hub:org/name", SourceKind::kRepository, "hf-hub:org/name"},
        {checkpoint, SourceKind::kCheckpoint, checkpoint}}) {
    const ModelSource source = find_source(given);
    EXPECT_TRUE(source.kind == kind) << given;
    EXPECT_EQ(source.name, name) << given;
  }
}

TEST_F(Source, WithoutANameIsTheDemoModelWhole) {
  const Model model = open_model("");
  EXPECT_EQ(model.name, "emoji-convnext-atto (demo)");
  EXPECT_EQ(model.config.embed_dim, 128);
  EXPECT_EQ(model.config.preprocess.mean[0], 0.5f);
  EXPECT_TRUE(model.tokenizer_folder.empty());
  EXPECT_NO_THROW(bind_tensors(model.config, model.checkpoint.tensors, model.name));
}

TEST_F(Source, DemoEqualsTheFolderInTheRepository) {
  const std::string folder = CLIPNEXT_SOURCE_DIR "/models/emoji-convnext-atto";
  const DemoModel demo = demo_model().value();
  const std::string weights = read_file(folder + "/open_clip_model.safetensors");
  EXPECT_TRUE(std::ranges::equal(demo.weights, std::as_bytes(std::span(weights))));
  EXPECT_EQ(demo.config_json, read_file(folder + "/open_clip_config.json"));
  EXPECT_EQ(open_model("local-dir:" + folder).name, "emoji-convnext-atto");
}

TEST_F(Source, EnvironmentNamesTheModelWhereTheCommandDoesNot) {
  put("open_clip_config.json", kTinyConfig);
  put_weights("open_clip_model.safetensors", 1);
  setenv("CLIPNEXT_MODEL", folder_.c_str(), 1);
  EXPECT_EQ(opened(open_model("")), 1);
  EXPECT_EQ(open_config("").embed_dim, 4);
  setenv("CLIPNEXT_MODEL", "", 1);
  EXPECT_EQ(open_config("").embed_dim, 128);
}

TEST_F(Source, FolderOpensTheWeightsThatOpenClipWould) {
  put("open_clip_config.json", kTinyConfig);
  const char* worst_first[] = {"zzz.bin",
                               "a.bin",
                               "y.safetensors",
                               "b.safetensors",
                               "model.pth",
                               "pytorch_model.pth",
                               "pytorch_model.bin",
                               "model.safetensors",
                               "open_clip_pytorch_model.pth",
                               "open_clip_pytorch_model.bin",
                               "open_clip_pytorch_model.safetensors",
                               "open_clip_model.safetensors"};
  float value = 0;
  for (const char* name : worst_first) {
    put_weights(name, ++value);  // opened by content: any name will do
    EXPECT_EQ(opened(open_model(folder_.string())), value) << name;
  }
  const Model model = open_model("local-dir:" + folder_.string() + "/");
  EXPECT_EQ(model.tokenizer_folder.lexically_normal(), (folder_ / "").lexically_normal());
  EXPECT_EQ(model.name, folder_.filename().string());
  EXPECT_EQ(model.config.preprocess.std[2], 0.5f);
}

TEST_F(Source, FolderSaysWhatIsMissing) {
  EXPECT_ERROR(error_of(folder_.string()), "neither open_clip_config.json nor weights");
  const std::string weights = put_weights("model.safetensors", 1);
  EXPECT_ERROR(error_of(folder_.string()), "has model.safetensors but no open_clip_config.json");
  fs::remove(weights);
  put("open_clip_config.json", kTinyConfig);
  EXPECT_ERROR(error_of(folder_.string()), "but no weights");
  EXPECT_ERROR(error_of("local-dir:" + folder_.string() + "/none"), "no such folder");
  put_weights("model.safetensors", 1);
  EXPECT_ERROR(error_of(folder_.string(), "openai"), "brings its own weights");
}

TEST_F(Source, FileFindsItsConfigNearestFirst) {
  const std::string file = put_weights("epoch_3.safetensors", 1);
  EXPECT_ERROR(error_of(file), "no configuration for it");
  EXPECT_ERROR(error_of(file), "--model CONFIG --pretrained");

  put("open_clip_config.json", kTinyConfig);
  EXPECT_EQ(open_model(file).config.embed_dim, 4);
  EXPECT_EQ(open_model(file).tokenizer_folder, folder_);

  put_weights("epoch_3.safetensors", 1, {{kConfigMetadata, "ViT-B-16-plus"}});
  EXPECT_EQ(open_model(file).config.embed_dim, 640);
  EXPECT_TRUE(open_model(file).tokenizer_folder.empty());
  put_weights("epoch_3.safetensors", 1, {{kConfigMetadata, kTinyConfig}});
  EXPECT_EQ(open_config(file).embed_dim, 4);

  put("epoch_3.json", std::string(builtin_config_json("RN50")));
  EXPECT_EQ(open_model(file).config.embed_dim, 1024);

  const std::string other = put_weights("other.safetensors", 1, {{kConfigMetadata, "ViT-Z"}});
  EXPECT_ERROR(error_of(other), "names \"ViT-Z\", which is no config of this program");
}

TEST_F(Source, ConfigNameTakesAFile) {
  const std::string file = put_weights("w.safetensors", 7);
  const Model model = open_model("ViT-B-32", file);
  EXPECT_EQ(opened(model), 7);
  EXPECT_EQ(model.name, "ViT-B-32 (w.safetensors)");
  EXPECT_TRUE(model.warnings.empty());
  EXPECT_EQ(model.config.preprocess.mean[0], 0.48145466f);

  const std::string config = put("mine.json", kTinyConfig);
  EXPECT_EQ(open_model(config, file).config.embed_dim, 4);
  EXPECT_EQ(open_model(config, file).name, "mine (w.safetensors)");
}

TEST_F(Source, ConfigNameWithoutAFileSaysWhatToDo) {
  EXPECT_ERROR(error_of("ViT-B-32"), "needs weights: --pretrained FILE");
  EXPECT_ERROR(error_of("ViT-B-32"), "use --model hf-hub:");
  EXPECT_ERROR(error_of("convnext_xlarge"), "needs weights: --pretrained FILE");
  EXPECT_ERROR(error_of("convnext_base_w", "laion2b-s13b-B82K"),
               "use --model hf-hub:laion/CLIP-convnext_base_w-laion2B-s13B-b82K");
  EXPECT_ERROR(error_of("ViT-B-32", "openai"), "--model ViT-B-32-quickgelu");
  EXPECT_ERROR(error_of("ViT-B-32", "opemai"), "did you mean openai");
  EXPECT_ERROR(error_of("ViT-B-32", folder_.string()), "is a folder; give it as --model");
  EXPECT_ERROR(error_of("", "openai"), "no --model is given");
}

TEST_F(Source, UnknownNamesAreAnsweredWithNearOnes) {
  EXPECT_ERROR(error_of("vit-b32"), "did you mean ViT-B-32");
  EXPECT_ERROR(error_of("hf-hub:laion/CLIP/ViT"), "is no repository of the hub");
  EXPECT_ERROR(error_of(std::string(10000, 'x')), "no such file or folder");
}

TEST_F(Source, WarnsOfWeightsTrainedWithQuickGelu) {
  const std::string file = put_weights("vit_b_32-quickgelu-laion400m_e31-d867053b.pt", 1);
  const Model wrong = open_model("ViT-B-32", file);
  ASSERT_EQ(wrong.warnings.size(), 1u);
  EXPECT_ERROR(wrong.warnings[0], "use --model ViT-B-32-quickgelu");
  EXPECT_TRUE(open_model("ViT-B-32-quickgelu", file).warnings.empty());
}

TEST_F(Source, WarnsOfPreprocessingLeftUnread) {
  const std::string file = put_weights("open_clip_model.safetensors", 1);
  put("open_clip_config.json", std::string(builtin_config_json("ViT-B-32")));
  EXPECT_TRUE(open_model("ViT-B-32", file).warnings.empty());
  put("open_clip_config.json", kTinyConfig);
  const Model model = open_model("ViT-B-32", file);
  ASSERT_EQ(model.warnings.size(), 1u);
  EXPECT_ERROR(model.warnings[0], "asks for another preprocessing");
  put("open_clip_config.json", "broken");
  EXPECT_TRUE(open_model("ViT-B-32", file).warnings.empty());
}

// timm 1.0.31: timm.get_pretrained_cfg(name).hf_hub_id.
TEST_F(Source, TimmsWeightsAreOfItsDefaultTagOrTheNamesOwn) {
  const auto repository = [](const std::string& name) {
    return timm_repository({.timm_name = name});
  };
  EXPECT_EQ(repository("convnext_tiny"), "timm/convnext_tiny.in12k_ft_in1k");
  EXPECT_EQ(repository("convnext_large"), "timm/convnext_large.fb_in22k_ft_in1k");
  EXPECT_EQ(repository("convnext_xxlarge"), "timm/convnext_xxlarge.clip_laion2b_soup_ft_in1k");
  EXPECT_EQ(repository("convnext_base.clip_laion2b"), "timm/convnext_base.clip_laion2b");
  for (const std::string& name : timm_convnext_names()) {
    EXPECT_TRUE(repository(name).starts_with("timm/" + name + ".")) << name;
  }
}

TEST_F(Source, TimmsWeightsAreFoundInTheCacheOrSayHowTheyGetThere) {
  setenv("HF_HUB_CACHE", folder_.c_str(), 1);
  setenv("HF_HUB_OFFLINE", "1", 1);
  const ConvNextConfig trunk = {.timm_name = "convnext_atto"};
  const std::string error = message_of([&] { timm_weights(trunk); });
  EXPECT_ERROR(error,
               "model.safetensors of hf-hub:timm/convnext_atto.d2_in1k: is not in the cache");
  EXPECT_ERROR(error, folder_.string());
  EXPECT_ERROR(error, "--include model.safetensors` where there is a connection");
  const std::string commit(40, 'a'), at = "models--timm--convnext_atto.d2_in1k/";
  fs::create_directories(folder_ / at / "refs");
  fs::create_directories(folder_ / at / "snapshots" / commit);
  put(at + "refs/main", commit);
  const std::string file = put_weights(at + "snapshots/" + commit + "/model.safetensors", 1);
  EXPECT_EQ(timm_weights(trunk).string(), file);
  unsetenv("HF_HUB_CACHE");
  unsetenv("HF_HUB_OFFLINE");
}

TEST_F(Source, BrokenConfigsNameTheirFile) {
  put_weights("open_clip_model.safetensors", 1);
  for (const char* text : {"", "[]", "{}", "{\"model_cfg\": 3}", "nonsense"}) {
    const std::string config = put("open_clip_config.json", text);
    EXPECT_ERROR(error_of(folder_.string()), config);
  }
}

}  // namespace
}  // namespace clipnext::model

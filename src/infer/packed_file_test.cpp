#include "infer/packed_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "base/workspace.h"
#include "hostile/mutate.h"
#include "infer/clip.h"
#include "model/bind.h"
#include "parity/synthetic.h"
#include "weights/checkpoint.h"

namespace clipnext::infer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConvNext = R"({"model_cfg": {"embed_dim": 24,
  "vision_cfg": {"timm_model_name": "convnext_atto", "timm_model_pretrained": false,
    "timm_pool": "", "timm_proj": "mlp", "image_size": 64},
  "text_cfg": {"width": 64, "heads": 1, "layers": 1, "vocab_size": 520}}})";
constexpr const char* kVit = R"({"model_cfg": {"embed_dim": 24,
  "vision_cfg": {"layers": 1, "width": 64, "head_width": 64, "patch_size": 16, "image_size": 32},
  "text_cfg": {"width": 72, "heads": 1, "layers": 1, "vocab_size": 520}}})";
constexpr const char* kResNet = R"({"model_cfg": {"embed_dim": 24,
  "vision_cfg": {"layers": [1, 1, 1, 1], "width": 16, "head_width": 32, "image_size": 64},
  "text_cfg": {"width": 64, "heads": 1, "layers": 1, "vocab_size": 520}}})";

class PackedFile : public ::testing::Test {
 protected:
  /// The model of a config, its weights in bf16 so that a file of them is small.
  model::Model open(const char* config) {
    write_file(folder_ / "open_clip_config.json", config);
    const model::ClipConfig parsed = model::open_config(folder_.string());
    weights::TensorMap tensors = testing::synthetic_weights(parsed, pool_);
    for (auto& [name, tensor] : tensors) {
      if (tensor.shape.size() > 1) tensor = weights::convert(tensor, weights::DType::kBF16);
    }
    weights::write_safetensors(folder_ / "open_clip_model.safetensors", tensors);
    return model::open_model(folder_.string());
  }

  std::string pack_to(const std::string& name, const model::Model& model, ComputeType type,
                      const PackedInfo& info = {}, std::string_view merges = "") {
    PackedInfo said = info;
    said.type = type;
    const kernels::Kernels& kernels = kernels::kernels();
    Params params =
        pack(model.config, model::bind_tensors(model.config, model.checkpoint.tensors, "test"),
             choose_types(model.config, type), kernels, pool_);
    write_packed(folder_ / name, model, params, said, merges);
    return (folder_ / name).string();
  }

  /// A picture's and a text's vectors, bit for bit.
  std::vector<float> vectors(Clip& clip) {
    const auto dim = static_cast<size_t>(clip.config().embed_dim);
    const int64_t side = clip.config().preprocess.height;
    const auto picture = testing::synthetic_picture(side, side);
    std::vector<float> out(2 * dim);
    clip.embed_images({picture.data(), 1, side, side}, out.data());
    model::TokenRows rows;
    rows.add(std::vector<int32_t>{18, 32, 7, 63});
    clip.embed_texts(rows, out.data() + dim);
    return out;
  }

  /// What opening and loading a file says.
  std::string error_of(const std::string& path) {
    return message_of([&] { load_clip(model::open_model(path), pool_); });
  }

  /// A packed file with something changed in it.
  template <class F>
  std::string changed(const std::string& path, const F& change) {
    weights::Checkpoint file = weights::open_checkpoint(path);
    std::vector<std::pair<std::string, weights::Tensor>> order(file.tensors.begin(),
                                                               file.tensors.end());
    std::ranges::sort(order, {}, [](const auto& entry) { return entry.second.data.data(); });
    change(order, file.metadata);
    const std::string out = (folder_ / "changed.safetensors").string();
    weights::write_ordered_safetensors(out, order, file.metadata, 4096);
    return out;
  }

  ThreadPool pool_{2};
  const TestFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

auto find(std::vector<std::pair<std::string, weights::Tensor>>& tensors, const std::string& name) {
  return std::ranges::find_if(tensors, [&](const auto& entry) { return entry.first == name; });
}

TEST_F(PackedFile, ComputesTheSameBitsAsItsOriginal) {
  for (const char* config : {kConvNext, kVit, kResNet}) {
    const model::Model original = open(config);
    for (const auto type : {ComputeType::kFp32, ComputeType::kBf16, ComputeType::kInt8}) {
      const model::Model packed = model::open_model(
          pack_to("packed.safetensors", original, type, {.model = "it", .source_hash = ""}));
      const auto plain = load_clip(original, pool_, type);
      const auto mapped = load_clip(packed, pool_);
      EXPECT_EQ(vectors(*mapped), vectors(*plain)) << config << compute_type_name(type);
      EXPECT_EQ(mapped->type(), type);
      EXPECT_EQ(packed.config_json, original.config_json);
    }
  }
}

TEST_F(PackedFile, IsAViewOfTheFile) {
  const model::Model packed =
      model::open_model(pack_to("packed.safetensors", open(kConvNext), ComputeType::kInt8));
  Params params = load_packed(packed.config, packed.checkpoint, packed.name);
  const auto& stored = packed.checkpoint.tensors;
  model::visit(params, packed.config, [&](const Weight& weight, const model::ParamInfo& info) {
    EXPECT_EQ(weight.contents().data(), stored.at(info.name).data.data()) << info.name;
  });
}

TEST_F(PackedFile, OpensWithoutItsFolderAndOnlyInItsType) {
  const std::string path = pack_to("packed.safetensors", open(kVit), ComputeType::kBf16,
                                   {.model = "the original", .source_hash = ""});
  fs::remove(folder_ / "open_clip_model.safetensors");
  fs::remove(folder_ / "open_clip_config.json");
  EXPECT_EQ(model::open_model(folder_.string()).name, "packed.safetensors");
  EXPECT_EQ(model::open_config(folder_.string()).embed_dim, 24);
  write_file(folder_ / "packed.json", "a config that must not count");
  const model::Model model = model::open_model(path);
  EXPECT_EQ(load_type(model, std::nullopt), ComputeType::kBf16);
  EXPECT_EQ(load_type(model, ComputeType::kBf16), ComputeType::kBf16);
  try {
    load_clip(model, pool_, ComputeType::kFp32);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "packed.safetensors: is packed in bf16; to compute in fp32, use the weights it "
                 "was made from (the original)");
  }
}

TEST_F(PackedFile, BringsItsOwnVocabulary) {
  const model::Model original = open(kVit);
  const std::string plain = pack_to("plain.safetensors", original, ComputeType::kFp32,
                                    {.model = "it", .source_hash = ""});
  EXPECT_EQ(model::open_model(plain).merges, "");
  const std::string merges = "i n\nt h\n";
  const std::string own = pack_to("own.safetensors", original, ComputeType::kFp32,
                                  {.model = "it", .source_hash = ""}, merges);
  const model::Model model = model::open_model(own);
  EXPECT_EQ(model.merges, merges);
  EXPECT_EQ(vectors(*load_clip(model, pool_)), vectors(*load_clip(original, pool_)));
}

TEST_F(PackedFile, KeepsItsRecord) {
  CalibrationRecord record{.asked_cosine = 0.995, .image_count = 64, .text_count = 9};
  record.smoothed = true;
  record.images = {.min_cosine = 0.9961, .mean_cosine = 0.9987};
  record.texts = {.min_cosine = 0.9971, .mean_cosine = 0.9997};
  record.accuracy = {.fp32 = 0.75, .int8 = 0.5, .agreement = 0.875, .clear = 32};
  record.widened.push_back({.name = "visual.x", .type = ComputeType::kBf16, .error = 0.125});
  const std::string path = pack_to("packed.safetensors", open(kVit), ComputeType::kInt8,
                                   {.model = "it", .source_hash = "00ff", .calibration = record});
  const auto info = read_packed_info(weights::open_checkpoint(path), path);
  ASSERT_TRUE(info && info->calibration);
  EXPECT_EQ(info->model, "it");
  EXPECT_EQ(info->source_hash, "00ff");
  EXPECT_EQ(info->type, ComputeType::kInt8);
  EXPECT_EQ(to_json(*info->calibration), to_json(record));
}

// A file and a record as version 1 of the format wrote them (tools/make_packed_fixture.py).
TEST_F(PackedFile, ReadsVersion1) {
  const model::Model model = model::open_model(std::string(CLIPNEXT_SOURCE_DIR) +
                                               "/tests/data/model/packed_v1.safetensors");
  const auto packed = load_clip(model, pool_);
  Clip original(model.config, testing::synthetic_weights(model.config, pool_), pool_, "test",
                ComputeType::kInt8);
  EXPECT_EQ(packed->type(), ComputeType::kInt8);
  EXPECT_EQ(vectors(*packed), vectors(original));
  EXPECT_EQ(packed->logit_scale(), original.logit_scale());
}

TEST_F(PackedFile, ReadsTheRecordOfVersion1) {
  const std::string text =
      R"({"version":1,"dtype":"int8","model":"it","source_hash":"00ff","calibration":{)"
      R"("asked_cosine":0.995,"image_count":64,"text_count":9,"smoothed":true,)"
      R"("images":{"min_cosine":0.9961,"mean_cosine":0.9987},)"
      R"("texts":{"min_cosine":0.9971,"mean_cosine":0.9997},)"
      R"("accuracy":{"fp32":0.75,"int8":0.5,"agreement":0.875,"clear":32},)"
      R"("widened":[{"name":"visual.x","dtype":"bf16","error":0.125}]}})";
  weights::Checkpoint file;
  file.metadata[model::kPackedMetadata] = text;
  const auto info = read_packed_info(file, "test");
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(to_json(*info).dump(), text);
}

TEST_F(PackedFile, RefusesWhatDoesNotFit) {
  const std::string path = pack_to("packed.safetensors", open(kConvNext), ComputeType::kInt8);
  const auto expect = [&](const std::string& part, const auto& change) {
    const std::string error = error_of(changed(path, change));
    EXPECT_NE(error.find(part), std::string::npos) << error << "\nlacks: " << part;
  };
  const std::string fc1 = "visual.trunk.stages.3.blocks.0.mlp.fc1.weight";
  expect("no error", [](auto&, auto&) {});
  expect("version 2, this program reads version 1",
         [](auto&, auto& metadata) { metadata[model::kPackedMetadata] = R"({"version": 2})"; });
  expect("clipnext.packed: not valid JSON at",
         [](auto&, auto& metadata) { metadata[model::kPackedMetadata] = "{"; });
  expect("clipnext.packed has no \"model\"",
         [](auto&, auto& metadata) { metadata[model::kPackedMetadata] = R"({"version": 1})"; });
  expect("holds its configuration",
         [](auto&, auto& metadata) { metadata.erase(model::kConfigMetadata); });
  expect("tensor " + fc1 + ".sums is missing",
         [&](auto& tensors, auto&) { tensors.erase(find(tensors, fc1 + ".sums")); });
  expect("tensor extra is no part of this model",
         [&](auto& tensors, auto&) { tensors.emplace_back("extra", tensors.front().second); });
  expect("does not begin on a multiple of 64", [](auto& tensors, auto&) {
    static const std::byte kByte[4] = {};
    tensors.emplace(tensors.begin(), "clipnext.padding.x",
                    weights::Tensor{weights::DType::kU8, {4}, kByte, nullptr});
  });
  expect("scales and sums do not follow it", [&](auto& tensors, auto&) {
    std::iter_swap(find(tensors, fc1 + ".scales"), find(tensors, fc1 + ".sums"));
  });
  expect("tensor " + fc1 + " is I8 [", [&](auto& tensors, auto&) {
    find(tensors, fc1)->second =
        find(tensors, "visual.trunk.stages.2.blocks.0.mlp.fc1.weight")->second;
  });
  expect("expected F32, BF16 or I8",
         [&](auto& tensors, auto&) { find(tensors, fc1)->second.dtype = weights::DType::kU8; });
  expect("is no sum of", [&](auto& tensors, auto&) {
    static std::vector<std::byte> huge;
    weights::Tensor& sums = find(tensors, fc1 + ".sums")->second;
    huge.assign(sums.data.size(), std::byte{0x7f});
    sums.data = huge;
  });
}

TEST_F(PackedFile, SurvivesMutation) {
  const std::string path = pack_to("packed.safetensors", open(kVit), ComputeType::kInt8);
  const std::string seed = read_file(path);
  const model::ClipConfig config = model::open_config(path);
  hostile::expect_survives(std::as_bytes(std::span(seed)), [&](std::span<const std::byte> bytes) {
    Buffer aligned(static_cast<int64_t>(bytes.size() / 4 + 1));  // as a mapped file is
    std::ranges::copy(bytes, reinterpret_cast<std::byte*>(aligned.data()));
    const std::span mapped(reinterpret_cast<const std::byte*>(aligned.data()), bytes.size());
    const auto file = weights::read_checkpoint(mapped, nullptr, "test");
    require(read_packed_info(file, "test").has_value(), "not packed");
    load_packed(config, file, "test");
  });
}

}  // namespace
}  // namespace clipnext::infer

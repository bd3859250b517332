// Small models, data and runs for the tests of training as a user runs it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/tar_writer.h"
#include "e2e/program.h"
#include "image/encode.h"
#include "run/log_file.h"
#include "weights/checkpoint.h"

namespace clipnext::e2e {

inline constexpr const char* kModel = R"({
  "embed_dim": 16,
  "vision_cfg": {"timm_model_name": "convnext_atto", "timm_model_pretrained": false,
                 "timm_pool": "", "timm_proj": "mlp", "timm_drop_path": 0.1, "image_size": 32},
  "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}})";

inline constexpr const char* kVitModel = R"({
  "embed_dim": 16,
  "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
  "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}})";

using Args = std::vector<std::string>;
using Weights = std::map<std::string, std::vector<float>>;

/// A few dozen small pictures with captions, and runs of a small model over them.
class Training : public Program {
 protected:
  Training() {
    write("model.json", kModel);
    write("vit.json", kVitModel);
    std::string table = "filepath\ttitle\n";
    for (int i = 0; i < kPairs; ++i) {
      write(std::to_string(i) + ".png", picture_of(i));
      table += path(std::to_string(i) + ".png") + "\t" + caption_of(i) + "\n";
    }
    write("pairs.tsv", table);
  }

  static std::string caption_of(int i) { return "a picture of pattern " + std::to_string(i); }

  /// PNG.
  static std::string picture_of(int i) {
    image::Image picture = image::make_image(image::Mode::kRgb, 40, 36);
    for (size_t k = 0; k < picture.data.size(); ++k) {
      const auto n = static_cast<size_t>(i);
      picture.data[k] = static_cast<uint8_t>((k / 3 % 40 * (n + 3) + k % 3 * 60 + n * 7) % 256);
    }
    return image::encode(picture, image::Encoding::kPng, "picture");
  }

  /// A shard of pairs `first` and the next ones, with captions in .txt and others in .json.
  std::string write_shard(const std::string& name, int first, int count) const {
    data::TarWriter tar(folder_ / name);
    for (int i = first; i < first + count; ++i) {
      const std::string key = "s" + std::to_string(1000 + i);
      tar.add(key + ".json", "{\"caption\": \"pattern " + std::to_string(i) + " in json\"}");
      tar.add(key + ".png", picture_of(i));
      tar.add(key + ".txt", caption_of(i));
    }
    tar.commit();
    return path(name);
  }

  /// The command line of a run called `name`: 2 epochs of 4 steps of 6 pairs.
  Args command(const std::string& name, const Args& more = {}) const {
    Args args = {"train",
                 "--model",
                 path("model.json"),
                 "--train-data",
                 path("pairs.tsv"),
                 "--dataset-type",
                 "csv",
                 "--device",
                 "cpu",
                 "--precision",
                 "fp32",
                 "--batch-size",
                 "6",
                 "--workers",
                 "2",
                 "--epochs",
                 "2",
                 "--lr",
                 "1e-3",
                 "--warmup",
                 "2",
                 "--threads",
                 "1",
                 "--log-every-n-steps",
                 "1",
                 "--logs",
                 path("logs"),
                 "--name",
                 name};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  std::string in_run(const std::string& name, const std::string& file) const {
    return path("logs/" + name + "/" + file);
  }

  weights::TensorMap weights_of(const std::string& name, const std::string& file) const {
    return weights::open_checkpoint(in_run(name, "checkpoints/" + file)).tensors;
  }

  Weights values_of(const std::string& name, const std::string& file) const {
    Weights values;
    for (const auto& [tensor, held] : weights_of(name, file)) values[tensor] = to_f32(held);
    return values;
  }

  void expect_equal_weights(const std::string& a, const std::string& b,
                            const std::string& file = "epoch_2.pt") const {
    const auto left = values_of(a, file), right = values_of(b, file);
    ASSERT_EQ(left.size(), right.size());
    for (const auto& [name, values] : left) {
      ASSERT_TRUE(right.contains(name)) << name;
      EXPECT_EQ(values, right.at(name)) << name;
    }
  }

  static constexpr int kPairs = 26;
};

inline Args operator+(Args a, const Args& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace clipnext::e2e

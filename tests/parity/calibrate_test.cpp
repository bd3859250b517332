// The demo model, trained on real pictures, in 8 bits: the contract on its vectors, and how often
// it sees another label than in fp32; as it is, and with outlier channels planted.
#include "infer/calibrate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "datasets/wds.h"
#include "eval/zero_shot.h"
#include "infer/clip.h"
#include "model/bind.h"
#include "pipeline/embed_images.h"
#include "pipeline/embed_texts.h"

namespace clipnext {
namespace {

using infer::Calibration;
using infer::ComputeType;

constexpr double kContract = 0.995;

/// A labelled set and the pixels of its pictures, as calibration takes them.
class Labelled {
 public:
  /// Every `step`th picture.
  explicit Labelled(const std::string& name, size_t step = 1) {
    const image::PreprocessConfig& config = model_.config.preprocess;
    const datasets::Dataset set = datasets::read_wds_folder(
        std::filesystem::path(CLIPNEXT_SOURCE_DIR) / "examples/emoji" / name);
    for (size_t i = 0; i < set.images.size(); i += step) {
      const image::Image seen = pipeline::preprocess(pipeline::load_image(set.images[i]), config,
                                                     pipeline::ConvertOrder::kFirst);
      pixels_.insert(pixels_.end(), seen.data.begin(), seen.data.end());
      labels_.push_back(set.labels[i]);
    }
    set_.images = {pixels_.data(), static_cast<int64_t>(labels_.size()), config.height,
                   config.width};
    const auto prompts = infer::calibration_prompts();
    set_.texts = tokenize({prompts.begin(), prompts.end()});
    set_.labels = labels_;
    set_.classes = tokenize(eval::fill_templates(set.classes, set.prompts.templates));
    set_.templates = static_cast<int64_t>(set.prompts.templates.size());
  }
  Labelled(const Labelled&) = delete;
  Labelled& operator=(const Labelled&) = delete;

  const infer::CalibrationSet& set() const { return set_; }
  infer::CalibrationSet unlabelled() const {
    return {.images = set_.images, .texts = set_.texts, .labels = {}, .classes = {}};
  }

 private:
  model::TokenRows tokenize(const std::vector<std::string>& texts) const {
    return pipeline::tokenize_texts(text::Tokenizer(), model_.config.text.context_length, texts)
        .rows;
  }

  model::Model model_ = model::open_model("");
  std::vector<uint8_t> pixels_;
  std::vector<int64_t> labels_;
  infer::CalibrationSet set_;
};

class Calibrate : public ::testing::Test {
 protected:
  Calibration calibrate(const infer::CalibrationSet& set, double contract = kContract) {
    return infer::calibrate(model_.config, tensors_, set, {.min_cosine = contract}, pool_, "test",
                            best_);
  }

  infer::Clip fp32() { return {model_.config, tensors_, pool_, "test", ComputeType::kFp32, best_}; }

  /// All pictures' vectors, then all texts'.
  std::vector<float> embed(infer::Clip& clip, const infer::CalibrationSet& set) const {
    const int64_t dim = model_.config.embed_dim;
    std::vector<float> out(static_cast<size_t>((set.images.n + set.texts.size()) * dim));
    clip.embed_images(set.images, out.data());
    clip.embed_texts(set.texts, out.data() + set.images.n * dim);
    return out;
  }

  /// Smallest cosine of two lists of unit vectors.
  double smallest_cosine(const std::vector<float>& x, const std::vector<float>& y) const {
    const auto dim = static_cast<size_t>(model_.config.embed_dim);
    double smallest = 1;
    for (size_t at = 0; at < x.size(); at += dim) {
      double sum = 0;
      for (size_t i = at; i < at + dim; ++i) sum += double{x[i]} * double{y[i]};
      smallest = std::min(smallest, sum);
    }
    return smallest;
  }

  /// What plain int8, without calibration, keeps.
  double uncalibrated_cosine(const infer::CalibrationSet& set) {
    kernels::Kernels coarse = best_;
    coarse.u8_levels = kernels::kFewestU8Levels;
    infer::Clip plain(model_.config, tensors_, pool_, "test", ComputeType::kInt8, coarse);
    infer::Clip wide = fp32();
    return smallest_cosine(embed(plain, set), embed(wide, set));
  }

  /// Multiplies channels 3, 43, 83 ... of what `gain` and `bias` give by 64, and divides what
  /// `weight` [n, c, ...] has for them by the same: the function stays, bit for bit.
  void plant(const std::string& gain, const std::string& bias, const std::string& weight) {
    const auto scale = [&](const std::string& name, int64_t first, int64_t inner, int64_t count,
                           float by) {
      std::vector<float> values = weights::to_f32(tensors_.at(name));
      for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
        const int64_t channel = i / inner % count - first;
        if (channel >= 0 && channel % 40 == 3) values[static_cast<size_t>(i)] *= by;
      }
      tensors_.at(name) = weights::make_tensor(tensors_.at(name).shape, values);
    };
    const weights::Shape rows = tensors_.at(gain).shape;
    const weights::Shape shape = tensors_.at(weight).shape;
    const int64_t channels = shape[1];
    const int64_t first = rows[0] - channels;  // 0, or where v begins in q, k and v
    scale(gain, first, rows.size() > 1 ? rows[1] : 1, rows[0], 64);
    scale(bias, first, 1, rows[0], 64);
    const int64_t taps = shape.size() > 2 ? shape[2] * shape[3] : 1;
    scale(weight, 0, taps, channels, 1.0F / 64);
  }

  /// In front of every matrix of a block that reads a norm.
  void plant_behind_norms() {
    for (const auto& [stage, depth] : {std::pair{0, 2}, {1, 2}, {2, 6}, {3, 2}}) {
      const std::string at = "visual.trunk.stages." + std::to_string(stage);
      if (stage > 0) {
        plant(at + ".downsample.0.weight", at + ".downsample.0.bias", at + ".downsample.1.weight");
      }
      for (int block = 0; block < depth; ++block) {
        const std::string in = at + ".blocks." + std::to_string(block);
        plant(in + ".norm.weight", in + ".norm.bias", in + ".mlp.fc1.weight");
      }
    }
    for (const std::string block : {"0", "1", "2"}) {
      const std::string in = "transformer.resblocks." + block;
      plant(in + ".ln_1.weight", in + ".ln_1.bias", in + ".attn.in_proj_weight");
      plant(in + ".ln_2.weight", in + ".ln_2.bias", in + ".mlp.c_fc.weight");
    }
  }

  void expect_contract(const Calibration& calibration, const infer::CalibrationSet& set) {
    EXPECT_GE(calibration.images.min_cosine, kContract);
    EXPECT_GE(calibration.texts.min_cosine, kContract);
    ASSERT_TRUE(calibration.accuracy.has_value());
    EXPECT_GE(calibration.accuracy->agreement, 0.99);
    EXPECT_GE(calibration.accuracy->clear, 20);
    EXPECT_NEAR(calibration.accuracy->int8, calibration.accuracy->fp32, 0.02);
    infer::Clip wide = fp32();
    const std::vector<float> exact = embed(wide, set);
    for (const kernels::Kernels& kernels : kernels::available()) {
      infer::Clip narrow(model_.config, calibration.params, pool_, kernels);
      EXPECT_GE(smallest_cosine(embed(narrow, set), exact), kContract) << kernels.isa;
    }
  }

  ThreadPool pool_{2};
  // Also where CLIPNEXT_ISA asks for `ref`, which would take minutes for each calibration.
  const kernels::Kernels& best_ = kernels::available().back();
  const model::Model model_ = model::open_model("");
  weights::TensorMap tensors_ = model_.checkpoint.tensors;
};

TEST_F(Calibrate, SeenStyleKeepsTheContractInEightBitsAlone) {
  const Labelled seen("seen");
  const Calibration calibration = calibrate(seen.set());
  EXPECT_TRUE(calibration.widened.empty());
  EXPECT_GT(calibration.accuracy->clear, 500);
  EXPECT_NEAR(calibration.accuracy->fp32, 0.2382, 0.0001);  // as `clipnext demo` has it
  expect_contract(calibration, Labelled("seen", 40).set());
}

TEST_F(Calibrate, UnseenStyleKeepsTheContractInEightBitsAlone) {
  const Labelled unseen("unseen");
  const Calibration calibration = calibrate(unseen.set());
  EXPECT_TRUE(calibration.widened.empty());
  EXPECT_GT(calibration.accuracy->clear, 60);
  expect_contract(calibration, Labelled("unseen", 5).set());
}

TEST_F(Calibrate, SmoothingUndoesOutlierChannelsBehindNorms) {
  const Labelled few("unseen", 5);
  infer::Clip before = fp32();
  const std::vector<float> original = embed(before, few.set());
  plant_behind_norms();
  infer::Clip after = fp32();
  EXPECT_EQ(embed(after, few.set()), original);
  EXPECT_LT(uncalibrated_cosine(few.set()), kContract);
  for (const char* name : {"seen", "unseen"}) {
    const Calibration calibration = calibrate(Labelled(name).set());
    EXPECT_TRUE(calibration.smoothed) << name;
    EXPECT_TRUE(calibration.widened.empty()) << name;
    expect_contract(calibration, few.set());
  }
}

TEST_F(Calibrate, MatricesBehindOtherOutlierChannelsStayWider) {
  for (const std::string number : {"0", "1", "2"}) {  // v of attention, which no norm gives
    const std::string block = "transformer.resblocks." + number + ".attn.";
    plant(block + "in_proj_weight", block + "in_proj_bias", block + "out_proj.weight");
  }
  const Labelled few("unseen", 5);
  EXPECT_LT(uncalibrated_cosine(few.set()), kContract);
  for (const char* name : {"seen", "unseen"}) {
    const Calibration calibration = calibrate(Labelled(name).set());
    EXPECT_GT(calibration.widened.size(), 0) << name;
    for (const infer::Widened& matrix : calibration.widened) {
      EXPECT_TRUE(matrix.name.ends_with("attn.out_proj.weight")) << matrix.name;
      EXPECT_EQ(matrix.type, ComputeType::kBf16);
      EXPECT_GT(matrix.error, 0);
      EXPECT_EQ(infer::layer_type(calibration.types, matrix.name), ComputeType::kBf16);
    }
    expect_contract(calibration, few.set());
  }
}

TEST_F(Calibrate, StricterContractsWidenMoreUpToEverything) {
  const Labelled unseen("unseen", 10);
  const auto count = [](const Calibration& calibration, ComputeType type) {
    return std::ranges::count_if(calibration.types,
                                 [&](const auto& entry) { return entry.second == type; });
  };
  const Calibration some = calibrate(unseen.unlabelled(), 0.9999);
  EXPECT_GE(some.images.min_cosine, 0.9999);
  EXPECT_GE(some.texts.min_cosine, 0.9999);
  EXPECT_FALSE(some.accuracy.has_value());
  EXPECT_GT(some.widened.size(), 0);
  EXPECT_GT(count(some, ComputeType::kInt8), 0);
  const Calibration all = calibrate(unseen.unlabelled(), 1);
  EXPECT_EQ(all.images.min_cosine, 1);
  EXPECT_EQ(all.texts.min_cosine, 1);
  EXPECT_EQ(count(all, ComputeType::kFp32), static_cast<int64_t>(all.types.size()));
}

TEST_F(Calibrate, GivesTheSameModelEveryTime) {
  const Labelled unseen("unseen", 20);
  Calibration first = calibrate(unseen.unlabelled(), 0.9999);
  ThreadPool one(1);
  Calibration second = infer::calibrate(model_.config, tensors_, unseen.unlabelled(),
                                        {.min_cosine = 0.9999}, one, "test", best_);
  EXPECT_EQ(first.types, second.types);
  std::vector<std::string> contents;
  for (infer::Params* params : {&first.params, &second.params}) {
    std::string& bytes = contents.emplace_back();
    model::visit(*params, model_.config, [&](const infer::Weight& weight, const auto&) {
      const auto span = weight.contents();
      bytes.append(reinterpret_cast<const char*>(span.data()), span.size());
    });
  }
  EXPECT_TRUE(contents[0] == contents[1]);
}

TEST_F(Calibrate, ReportsEveryPass) {
  const Labelled unseen("unseen", 40);
  std::vector<std::string> passes, lines;
  infer::calibrate(model_.config, tensors_, unseen.set(),
                   {.min_cosine = 0.9999,
                    .progress =
                        [&](const std::string& pass, int64_t done, int64_t total) {
                          EXPECT_LE(done, total);
                          if (done == total) passes.push_back(pass);
                        },
                    .report = [&](const std::string& line) { lines.push_back(line); }},
                   pool_);
  for (const char* pass : {"image tower in fp32", "text tower in fp32", "channels",
                           "text tower, each matrix alone in int8", "classes, final"}) {
    EXPECT_NE(std::ranges::find(passes, pass), passes.end()) << pass;
  }
  ASSERT_FALSE(lines.empty());
  EXPECT_TRUE(lines[0].starts_with("image tower, 0 matrices widened: smallest cosine 0."));
}

TEST_F(Calibrate, RefusesSetsThatDoNotFit) {
  const Labelled unseen("unseen", 40);
  const auto expect = [&](const std::string& part, double contract, const auto& change) {
    infer::CalibrationSet set = unseen.set();
    change(set);
    try {
      calibrate(set, contract);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect("at least one picture", kContract, [](auto& set) { set.images.n = 0; });
  expect("at least one picture", kContract, [](auto& set) { set.texts = {}; });
  expect("no cosine is above 1", 1.5, [](auto&) {});
  expect("labels for 3 pictures", kContract, [](auto& set) { set.labels = set.labels.subspan(1); });
  expect("prompts are not 1000", kContract, [](auto& set) { set.templates = 1000; });
}

}  // namespace
}  // namespace clipnext

// A GPU computes what the processor computes. Skipped where there is none.
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "data/sample_source.h"
#include "train/device.h"
#include "train/device_loader.h"
#include "train/embedder.h"
#include "train/group_test.h"
#include "train/step.h"
#include "train/testing.h"
#include "train/validation.h"

namespace clipnext::train {
namespace {

using namespace testing;

const at::Device kGpu(at::kCUDA, 0);

class Gpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (find_gpus().count == 0) GTEST_SKIP() << find_gpus().why_none;
    at::globalContext().setAllowTF32CuDNN(false);  // libtorch's default is to
  }
};

std::vector<model::ClipConfig> models() {
  std::vector<model::ClipConfig> configs = {dropping(0.3, 0.3)};
  for (const std::string& name : small_models()) configs.push_back(small_config(name));
  return configs;
}

/// To `tolerance` of its norm, or, where it is as good as zero, of the largest one's.
void expect_near(const Gradients& found, const Gradients& want, double tolerance) {
  double largest = 0;
  for (const at::Tensor& g : want.values) largest = std::max(largest, g.norm().item<double>());
  ASSERT_EQ(found.names, want.names);
  for (size_t i = 0; i < want.names.size(); ++i) {
    const double off = (found.values[i].cpu() - want.values[i]).norm().item<double>();
    const double norm = std::max(want.values[i].norm().item<double>(), 1e-3 * largest);
    EXPECT_LE(off, tolerance * norm) << want.names[i];
  }
}

TEST_F(Gpu, HasTheProcessorsGradients) {
  for (const auto& config : models()) {
    const double tolerance = config.name == "resnet" ? 1e-4 : 1e-5;
    Params here = synthetic_params(config);
    Params there = synthetic_params(config, kGpu);
    for (const bool checkpoint : {false, true}) {
      SCOPED_TRACE(config.name + (checkpoint ? " checkpointed" : ""));
      const Mode mode{.training = true, .checkpoint = checkpoint, .random = 21};
      expect_near(gradients_of(there, config, mode, small_tokens()),
                  gradients_of(here, config, mode, small_tokens()), tolerance);
    }
  }
}

TEST_F(Gpu, ComputesInSixteenBitsAndKeepsFloat32Gradients) {
  for (const auto& config : models()) {
    Params params = synthetic_params(config, kGpu);
    const at::Tensor pixels = sample_pixels(config).to(kGpu);
    const at::Tensor plain = encode_image(params, config, pixels, {.training = true});
    for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
      SCOPED_TRACE(config.name + " in " + at::toString(type));
      const Mode mode{.training = true, .autocast = type};
      const double error = relative_error(encode_image(params, config, pixels, mode), plain);
      EXPECT_LE(error, type == at::kHalf ? 0.02 : 0.1);
      EXPECT_GT(error, 1e-5);
      for (const at::Tensor& g : gradients_of(params, config, mode, small_tokens()).values) {
        EXPECT_EQ(g.scalar_type(), at::kFloat);
        EXPECT_TRUE(g.isfinite().all().item<bool>());
      }
    }
    EXPECT_FALSE(current_autocast(kGpu).has_value());
  }
}

Optimizer adamw(Params& params, const model::ClipConfig& config) {
  SlotGroup group;
  for_each_param(params, config, [&](at::Tensor& t, const model::ParamInfo& info) {
    if (info.role == model::Role::kStatistic) return;
    group.slots.push_back({.name = info.name, .parameter = t});
  });
  return {model::optimizer_kind("adamw"), {std::move(group)}};
}

TEST_F(Gpu, TakesTheProcessorsSteps) {
  for (const auto& config : models()) {
    SCOPED_TRACE(config.name);
    const auto losses = [&](at::Device device) {
      Params params = synthetic_params(config, device);
      Group alone;
      Stepper stepper(params, config, adamw(params, config), alone,
                      {.clip_norm = 1, .ema_decay = 0.9, .seed = 3});
      const std::vector batches(
          2, DeviceBatch{.pixels = sample_pixels(config).to(device), .tokens = small_tokens()});
      std::vector<double> found;
      for (int64_t step = 0; step < 6; ++step) {
        const auto taken = std::span(batches).first(step % 2 + 1);  // every second accumulates
        found.push_back(stepper.step(taken, 1e-3, step).loss.item<double>());
      }
      return found;
    };
    const auto found = losses(kGpu), want = losses(at::kCPU);
    // So few samples are soon told apart, and their loss falls to 0.
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_NEAR(found[i], want[i], 2e-3 * (1 + want[i])) << i;
    }
    EXPECT_GT(want.front(), 2 * want.back());
  }
}

TEST_F(Gpu, EmbedsAsTheProcessor) {
  const auto config = small_config("patch_mlp");
  constexpr int64_t kPictures = 300;  // more than a group
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < kPictures; ++i) {
    const auto picture = model::synthetic_picture(config.image_height, config.image_width, i);
    pixels.insert(pixels.end(), picture.begin(), picture.end());
  }
  const auto embedded = [&](at::Device device) {
    const Params params = synthetic_params(config, device);
    Clip clip(config, params);
    const auto dim = static_cast<size_t>(config.embed_dim);
    std::vector<float> vectors((kPictures + small_texts().size()) * dim);
    clip.embed_images({pixels.data(), kPictures, config.image_height, config.image_width},
                      vectors.data());
    clip.embed_texts(small_tokens(), vectors.data() + kPictures * dim);
    return at::tensor(vectors);
  };
  EXPECT_LE((embedded(kGpu) - embedded(at::kCPU)).abs().max().item<double>(), 1e-5);
}

TEST_F(Gpu, RanksAsTheProcessor) {
  const at::Tensor image = synthetic("image", {40, 8}), text = synthetic("text", {40, 8});
  const at::Tensor scale = at::scalar_tensor(2);
  for (const int64_t chunk : {0, 7}) {
    EXPECT_EQ(retrieval_metrics(image.to(kGpu), text.to(kGpu), scale.to(kGpu), chunk),
              retrieval_metrics(image, text, scale, chunk));
  }
}

// Through Gloo, which sends from the processor what lies on a GPU.
TEST_F(Gpu, ExchangesWithOtherProcesses) {
  with_ranks(2, [](Group& group) {
    const auto rank = static_cast<double>(group.rank());
    at::Tensor sum = at::full({3}, rank + 1, kGpu);
    group.all_reduce(sum);
    EXPECT_TRUE(sum.eq(3).all().item<bool>());
    const at::Tensor all = group.all_gather(at::full({2, 3}, rank, kGpu));
    EXPECT_TRUE(all.device() == kGpu);
    EXPECT_TRUE(all.eq(at::tensor({0, 0, 1, 1}, kGpu).view({4, 1})).all().item<bool>());
    at::Tensor told = at::full({3}, rank + 5, kGpu);
    group.broadcast(told);
    EXPECT_TRUE(told.eq(5).all().item<bool>());
  });
}

/// The same few pictures again and again.
class Pictures final : public data::SampleSource {
 public:
  void begin_epoch(int64_t /*epoch*/) override { at_ = 0; }
  std::optional<data::RawSample> next() override {
    return data::RawSample{.name = "", .image = files_[at_++ % files_.size()], .caption = "emoji"};
  }

 private:
  static std::string picture(const std::string& name) {
    return read_file(CLIPNEXT_SOURCE_DIR "/examples/emoji/pictures/" + name + ".png");
  }
  std::vector<std::string> files_ = {picture("cactus"), picture("taxi"), picture("trophy")};
  size_t at_ = 0;
};

/// Its pixels are large, so that copies take as long as what is computed meanwhile.
DeviceLoader pictures_on(at::Device device, int64_t batches) {
  model::ClipConfig config;
  config.image_width = config.image_height = 448;
  pipeline::TrainLoaderConfig options;
  options.preprocess.width = options.preprocess.height = 448;
  options.augment.emplace();
  options.batch_size = 8;
  options.batches_per_epoch = batches;
  std::vector<std::unique_ptr<data::SampleSource>> sources(4);
  for (auto& source : sources) source = std::make_unique<Pictures>();
  return {std::make_unique<pipeline::TrainLoader>(
              std::move(sources), std::make_shared<const text::Tokenizer>(), options,
              [](const std::string&, const std::string& reason) { FAIL() << reason; }),
          config, device};
}

TEST_F(Gpu, GetsTheLoadersPixelsWhileItComputes) {
  constexpr int64_t kBatches = 24;
  const at::NoGradGuard guard;
  std::vector<at::Tensor> sums;
  DeviceLoader there = pictures_on(kGpu, kBatches);
  at::Tensor busy = at::randn({2048, 2048}, kGpu);
  for (const int64_t epoch : {0, 1}) {
    there.begin_epoch(epoch);
    while (const auto batch = there.next()) {
      EXPECT_TRUE(batch->pairs.pixels.device() == kGpu);
      // Queued, so that pixels are read after the batch itself was given up.
      for (int i = 0; i < 40; ++i) busy = busy.matmul(busy).mul_(1e-3);
      sums.push_back(batch->pairs.pixels.to(at::kDouble).sum({1, 2, 3}));
    }
  }
  DeviceLoader here = pictures_on(at::kCPU, kBatches);
  size_t next = 0;
  for (const int64_t epoch : {0, 1}) {
    here.begin_epoch(epoch);
    while (const auto batch = here.next()) {
      const at::Tensor want = batch->pairs.pixels.to(at::kDouble).sum({1, 2, 3});
      ASSERT_LT(next, sums.size());
      EXPECT_LE((sums[next].cpu() - want).abs().max().item<double>(), 1e-6) << next;
      ++next;
    }
  }
  EXPECT_EQ(next, 2 * kBatches);
}

}  // namespace
}  // namespace clipnext::train

// Which device a name means, and embedders over libtorch as the commands use them.
#include "train/device.h"

#include <gtest/gtest.h>

#include <set>

#include "infer/clip.h"
#include "train/embedder.h"
#include "train/testing.h"

namespace clipnext::train {
namespace {

using namespace testing;

std::string message_of(const std::string& device, const Gpus& gpus) {
  try {
    device_among(device, gpus);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Device, IsTheOneOfThatName) {
  const Gpus two{.count = 2, .why_none = ""};
  EXPECT_EQ(device_among("cpu", {}), at::Device(at::kCPU));
  EXPECT_EQ(device_among("cuda", two), at::Device(at::kCUDA, 0));
  EXPECT_EQ(device_among("cuda:1", two), at::Device(at::kCUDA, 1));
  EXPECT_EQ(find_device("cpu"), at::Device(at::kCPU));
}

TEST(Device, SaysWhatWasFoundWhereItIsNot) {
  EXPECT_EQ(message_of("cuda:2", {.count = 2, .why_none = ""}),
            "--device cuda:2: there are 2 GPUs, cuda:0 to cuda:1");
  EXPECT_EQ(message_of("cuda:7", {.count = 1, .why_none = ""}),
            "--device cuda:7: there is 1 GPU, cuda:0");
  EXPECT_EQ(message_of("cuda", {.count = 0, .why_none = "libtorch found no GPU"}),
            "--device cuda: libtorch found no GPU; --device cpu needs none");
}

TEST(Gpus, AreThereOrHaveAReason) {
  const Gpus& gpus = find_gpus();
  EXPECT_EQ(gpus.count > 0, gpus.why_none.empty()) << gpus.why_none;
}

TEST(FastTraining, IsWhatTheReferenceAllowsAGpu) {
  at::Context& context = at::globalContext();
  const bool products = context.allowTF32CuBLAS(), convolutions = context.allowTF32CuDNN();
  allow_fast_training();
  EXPECT_TRUE(context.allowTF32CuBLAS());
  EXPECT_TRUE(context.allowTF32CuDNN());
  EXPECT_TRUE(context.benchmarkCuDNN());
  context.setAllowTF32CuBLAS(products);
  context.setAllowTF32CuDNN(convolutions);
  context.setBenchmarkCuDNN(false);
}

TEST(Send, LeavesWhatIsOnTheProcessor) {
  const at::Tensor values = at::ones({3});
  EXPECT_TRUE(send(values, at::kCPU).is_same(values));
}

TEST(Translated, ErrorsOfLibtorchAreOneLineOfOurs) {
  try {
    translated([] { at::zeros({2, 3}).matmul(at::zeros({2, 3})); });
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    EXPECT_EQ(text.find("frame #"), std::string::npos) << text;
    EXPECT_FALSE(text.empty());
  }
  EXPECT_EQ(translated([] { return 3; }), 3);
}

std::shared_ptr<const Params> shared_params(const model::ClipConfig& config) {
  return std::make_shared<const Params>(synthetic_params(config));
}

TEST(Embedder, GroupsOfALargeBatchAreWhatTheyAreAlone) {
  const auto config = small_config("patch_mlp");
  Clip clip(config, shared_params(config));
  const auto size = static_cast<size_t>(config.image_height * config.image_width * 3);
  const auto dim = static_cast<size_t>(config.embed_dim);
  constexpr int64_t kPictures = 65;  // one more than a group
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < kPictures; ++i) {
    const auto picture = model::synthetic_picture(config.image_height, config.image_width, i);
    pixels.insert(pixels.end(), picture.begin(), picture.end());
  }
  std::vector<float> all(kPictures * dim), last(dim);
  clip.embed_images({pixels.data(), kPictures, config.image_height, config.image_width},
                    all.data());
  clip.embed_images(
      {pixels.data() + (kPictures - 1) * size, 1, config.image_height, config.image_width},
      last.data());
  for (size_t i = 0; i < dim; ++i) EXPECT_NEAR(all[(kPictures - 1) * dim + i], last[i], 1e-6);
}

TEST(Embedder, HasAnIdentityForEveryWayToOtherVectors) {
  const auto config = small_config("patch_mlp");
  const auto params = shared_params(config);
  Clip clip(config, params);
  Clip again(config, shared_params(config));
  EXPECT_EQ(clip.image_identity(), again.image_identity());
  EXPECT_EQ(clip.text_identity(), again.text_identity());

  Clip half(config, params, at::kBFloat16);
  auto brighter = config;
  brighter.preprocess.mean[0] += 0.1f;
  Clip other_mean(brighter, params);
  auto changed = synthetic_params(config);
  {
    const at::NoGradGuard guard;
    changed.logit_scale.add_(1);
  }
  Clip other_weights(config, changed);
  ThreadPool pool(1);
  infer::Clip native(config, model::synthetic_weights(config, pool), pool);
  EXPECT_EQ(
      (std::set{clip.image_identity(), half.image_identity(), other_mean.image_identity(),
                other_weights.image_identity(), native.image_identity(), clip.text_identity()})
          .size(),
      6U);
  EXPECT_EQ((std::set{clip.text_identity(), half.text_identity(), other_weights.text_identity(),
                      native.text_identity()})
                .size(),
            4U);
}

}  // namespace
}  // namespace clipnext::train

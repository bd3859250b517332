// verify names the layer where a planted fault first shows, against a dump that PyTorch made.
#include "infer/verify.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "synthetic.h"
#include "weights/checkpoint.h"

namespace clipnext {
namespace {

/// The model of tests/data/parity/tiny_dump.npz (tools/make_parity_fixtures.py).
model::ClipConfig dumped_config() {
  model::ClipConfig config = testing::tiny_config("tiny_convnext_mlp");
  config.text.context_length = 8;
  config.text.vocab_size = 64;
  return config;
}

class Verify : public ::testing::Test {
 protected:
  infer::VerifyReport report() {
    infer::Clip clip(config_, tensors_, pool_, "test", type_);
    return infer::verify(clip, dump_, "tiny_dump.npz", infer::verify_tolerance(type_));
  }

  std::string first() {
    const infer::VerifyReport r = report();
    return r.first ? r.layers[*r.first].name : "";
  }

  void change(const std::string& name, const std::function<void(std::vector<float>&)>& f) {
    weights::Tensor& tensor = tensors_.at(name);
    std::vector<float> values = weights::to_f32(tensor);
    f(values);
    tensor = weights::make_tensor(tensor.shape, values);
  }

  void transpose(const std::string& name) {
    const int64_t n = tensors_.at(name).shape[0];
    ASSERT_EQ(tensors_.at(name).numel(), n * n);
    change(name, [n](std::vector<float>& values) {
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < i; ++j) {
          std::swap(values[static_cast<size_t>(i * n + j)], values[static_cast<size_t>(j * n + i)]);
        }
      }
    });
  }

  infer::ComputeType type_ = infer::ComputeType::kFp32;
  ThreadPool pool_{2};
  model::ClipConfig config_ = dumped_config();
  weights::TensorMap tensors_ = testing::synthetic_weights(config_, pool_);
  weights::TensorMap dump_ =
      weights::open_checkpoint(CLIPNEXT_SOURCE_DIR "/tests/data/parity/tiny_dump.npz").tensors;
};

TEST_F(Verify, SoundModelAgreesInEveryLayer) {
  const infer::VerifyReport r = report();
  EXPECT_FALSE(r.first);
  EXPECT_GT(r.layers.size(), 35u);
  for (const auto& layer : r.layers) EXPECT_LT(layer.relative, 1e-6) << layer.name;
  EXPECT_EQ(r.layers.front().name, "visual.trunk.stem.0");
  EXPECT_EQ(r.layers.back().name, "text");
  // Layers that are the identity in this model.
  EXPECT_EQ(r.not_compared,
            (std::vector<std::string>{"visual.trunk.norm_pre", "visual.trunk.stages.0.downsample",
                                      "visual.trunk.stem.1"}));
}

TEST_F(Verify, SoundModelAgreesInEveryTypeAndAFaultDoesNot) {
  for (const auto type : {infer::ComputeType::kBf16, infer::ComputeType::kInt8}) {
    type_ = type;
    const infer::VerifyReport r = report();
    EXPECT_FALSE(r.first);
    EXPECT_GT(r.layers.size(), 35U);
    for (const auto& layer : r.layers) {
      EXPECT_LT(layer.relative, 0.5 * infer::verify_tolerance(type)) << layer.name;
    }
  }
  for (const auto type : {infer::ComputeType::kBf16, infer::ComputeType::kInt8}) {
    type_ = type;
    change("visual.trunk.stages.2.blocks.1.gamma",
           [](std::vector<float>& gamma) { std::fill(gamma.begin(), gamma.end(), 1.0f); });
    EXPECT_EQ(first(), "visual.trunk.stages.2.blocks.1");
  }
}

TEST_F(Verify, WrongEpsilonIsNamedAtTheFirstNorm) {
  std::get<model::ConvNextConfig>(config_.vision).eps = 1e-4f;
  EXPECT_EQ(first(), "visual.trunk.stem");
}

TEST_F(Verify, TransposedTextWeightIsNamedAtItsAttention) {
  transpose("transformer.resblocks.1.attn.out_proj.weight");
  EXPECT_EQ(first(), "transformer.resblocks.1.ln_2");
}

TEST_F(Verify, MissingGammaIsNamedAtItsBlock) {
  change("visual.trunk.stages.2.blocks.1.gamma",
         [](std::vector<float>& gamma) { std::fill(gamma.begin(), gamma.end(), 1.0f); });
  EXPECT_EQ(first(), "visual.trunk.stages.2.blocks.1");
}

TEST_F(Verify, FlippedDepthwiseKernelIsNamed) {
  change("visual.trunk.stages.1.blocks.0.conv_dw.weight", [](std::vector<float>& taps) {
    for (size_t i = 0; i < taps.size(); i += 49) {
      std::reverse(taps.begin() + static_cast<int64_t>(i),
                   taps.begin() + static_cast<int64_t>(i) + 49);
    }
  });
  EXPECT_EQ(first(), "visual.trunk.stages.1.blocks.0.conv_dw");
}

TEST_F(Verify, ApproximateActivationIsNamed) {
  config_.text.activation = model::Activation::kQuickGelu;
  EXPECT_EQ(first(), "transformer.resblocks.0");
}

TEST_F(Verify, NotANumberDiverges) {
  change("visual.head.mlp.fc2.weight",
         [](std::vector<float>& values) { values[5] = std::numeric_limits<float>::quiet_NaN(); });
  EXPECT_EQ(first(), "visual");
}

TEST_F(Verify, OtherShapeDiverges) {
  dump_.at("visual.trunk.stages.3").shape = {1, 1, 4, 32};
  EXPECT_EQ(first(), "visual.trunk.stages.3");
}

TEST_F(Verify, DumpWithoutInputsIsRefused) {
  dump_.erase("pixels");
  dump_.at("tokens").shape = {16};
  EXPECT_THROW(report(), Error);
  dump_.erase("tokens");
  EXPECT_THROW(report(), Error);
}

}  // namespace
}  // namespace clipnext

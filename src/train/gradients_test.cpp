// Features and gradients equal stored float64 ones of open_clip (tools/make_train_fixtures.py;
// open_clip 3.3.0, timm 1.0.31, torch 2.15).
#include <gtest/gtest.h>

#include "train/testing.h"
#include "weights/checkpoint.h"

namespace clipnext::train {
namespace {

using namespace testing;

// Float32 against float64, norm-relative per tensor.
constexpr double kTolerance = 1e-5;
constexpr double kBatchNormTolerance = 1e-4;  // statistics of three pictures magnify rounding

const weights::TensorMap& fixture() {
  static const weights::TensorMap tensors =
      weights::open_checkpoint(CLIPNEXT_SOURCE_DIR "/tests/data/train/gradients.npz").tensors;
  return tensors;
}

at::Tensor stored(const std::string& name) {
  const auto at = fixture().find(name);
  require(at != fixture().end(), "gradients.npz has no ", name);
  return at::tensor(weights::to_f32(at->second)).view(at->second.shape);
}

/// The elements of x that the fixture keeps.
at::Tensor thinned(const at::Tensor& x) {
  constexpr int64_t kMost = 160;
  const at::Tensor flat = x.detach().flatten();
  return flat.slice(0, 0, flat.numel(), (flat.numel() + kMost - 1) / kMost);
}

/// Rows of the packed queries, keys and values' bias that are the keys': a constant on all keys
/// moves no softmax, so their gradient is zero but for rounding.
at::Tensor without_keys(const at::Tensor& x) {
  const auto parts = x.flatten().chunk(3);
  return at::cat({parts[0], parts[2]});
}

void expect_gradient(const std::string& model, const std::string& name, const at::Tensor& grad,
                     double tolerance) {
  at::Tensor want = stored(model + "/grad/" + name);
  at::Tensor found = thinned(grad);
  if (name.ends_with("k_proj.bias")) {
    EXPECT_LE(grad.abs().max().item<float>(), 1e-5f) << model << " " << name;
    return;
  }
  if (name.ends_with("in_proj_bias")) {
    const at::Tensor keys = grad.chunk(3)[1];
    EXPECT_LE(keys.abs().max().item<float>(), 1e-5f * grad.abs().max().item<float>() + 1e-9f)
        << model << " " << name;
    want = without_keys(want);
    found = without_keys(found);
  }
  EXPECT_LE(relative_error(found, want), tolerance) << model << " " << name;
  if (fixture().contains(model + "/norm/" + name)) {
    const double norm = stored(model + "/norm/" + name).item<double>();
    EXPECT_NEAR(grad.norm().item<double>() / norm, 1, tolerance) << model << " " << name;
  }
}

void expect_stored(const std::string& name) {
  const bool batch_norm = name == "resnet";
  const double tolerance = batch_norm ? kBatchNormTolerance : kTolerance;
  const auto config = small_config(name);
  Params params = synthetic_params(config);
  const Mode mode{.training = true};
  const auto gradients = gradients_of(params, config, mode, small_tokens());
  int64_t compared = 0;
  for (size_t i = 0; i < gradients.names.size(); ++i) {
    if (!fixture().contains(name + "/grad/" + gradients.names[i])) continue;
    expect_gradient(name, gradients.names[i], gradients.values[i], tolerance);
    ++compared;
  }
  int64_t expected = 0;
  for (const auto& [key, tensor] : fixture()) expected += key.starts_with(name + "/grad/") ? 1 : 0;
  EXPECT_EQ(compared, expected);
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    if (info.role != model::Role::kStatistic) return;
    EXPECT_LE(relative_error(thinned(leaf), stored(name + "/statistic/" + info.name)), kTolerance)
        << info.name;
  });
  Params fresh = synthetic_params(config);
  EXPECT_LE(relative_error(encode_image(fresh, config, sample_pixels(config), mode),
                           stored(name + "/image")),
            tolerance);
  EXPECT_LE(
      relative_error(encode_text(fresh, config, small_tokens(), mode), stored(name + "/text")),
      kTolerance);
}

TEST(Gradients, OfConvNextWithMlpHeadAndOfTextEqualStored) { expect_stored("patch_mlp"); }
TEST(Gradients, OfTieredStemAndConvMlpEqualStored) { expect_stored("tiered_linear"); }
TEST(Gradients, OfOverlappingStemAndNormBeforePoolingEqualStored) { expect_stored("overlap_none"); }
TEST(Gradients, OfPreLogitsEqualStored) { expect_stored("pre_logits_linear"); }
TEST(Gradients, OfVitWithLayerScaleEqualStored) { expect_stored("vit"); }
TEST(Gradients, OfResNetAndItsStatisticsEqualStored) { expect_stored("resnet"); }

}  // namespace
}  // namespace clipnext::train

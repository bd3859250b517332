// The functions over our own kernels equal PyTorch's, values and gradients.
#include "train/mlp.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "train/depthwise.h"
#include "train/testing.h"

namespace clipnext::train {
namespace {

using namespace testing;

/// Float32 sums of up to a few thousand terms, in other orders.
constexpr double kTolerance = 2e-6;

at::Tensor leaf(const std::string& name, const weights::Shape& shape) {
  return synthetic(name, shape).clone().requires_grad_(true);
}

/// Results of both, and the gradients of their sums with fixed numbers.
void expect_same(const at::Tensor& found, const at::Tensor& want,
                 const std::vector<at::Tensor>& leaves, const std::string& what) {
  EXPECT_LE(relative_error(found, want), kTolerance) << what;
  const at::Tensor cotangent = synthetic("cotangent", want.sizes().vec());
  const auto gradients = torch::autograd::grad({(found * cotangent).sum()}, leaves);
  const auto expected = torch::autograd::grad({(want * cotangent).sum()}, leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_LE(relative_error(gradients[i], expected[i]), kTolerance) << what << " leaf " << i;
  }
}

TEST(DepthwiseConv7, EqualsPyTorch) {
  for (const auto& shape :
       std::vector<weights::Shape>{{2, 5, 9, 24}, {3, 30, 28, 17}, {1, 2, 2, 8}}) {
    const int64_t c = shape[3];
    const std::vector<at::Tensor> leaves = {leaf("maps", shape), leaf("weight", {c, 1, 7, 7}),
                                            leaf("shift.bias", {c})};
    const at::Tensor want =
        at::conv2d(leaves[0].permute({0, 3, 1, 2}), leaves[1], leaves[2], 1, 3, 1, c)
            .permute({0, 2, 3, 1});
    expect_same(depthwise_conv7(leaves[0], leaves[1], leaves[2]), want, leaves,
                "c " + std::to_string(c));
  }
}

TEST(DepthwiseConv7, DoesNotDependOnThreads) {
  const int before = at::get_num_threads();
  std::vector<at::Tensor> first;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const std::vector<at::Tensor> leaves = {
        leaf("maps", {3, 30, 28, 17}), leaf("weight", {17, 1, 7, 7}), leaf("shift.bias", {17})};
    const at::Tensor y = depthwise_conv7(leaves[0], leaves[1], leaves[2]);
    auto found = torch::autograd::grad({(y * y).sum()}, leaves);
    found.push_back(y);
    if (first.empty()) first = found;
    for (size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(at::equal(found[i], first[i])) << i;
  }
  at::set_num_threads(before);
}

struct Leaves {
  Leaves(int64_t c, int64_t hidden, bool layer_scale)
      : mlp{leaf("fc1.weight", {hidden, c}), leaf("fc1.bias", {hidden}),
            leaf("fc2.weight", {c, hidden}), leaf("fc2.bias", {c}),
            layer_scale ? leaf("gamma", {c}) : at::Tensor()} {}
  std::vector<at::Tensor> list(const at::Tensor& x, const at::Tensor& h) const {
    std::vector<at::Tensor> all = {x,           h, mlp.fc1_weight, mlp.fc1_bias, mlp.fc2_weight,
                                   mlp.fc2_bias};
    if (mlp.gamma.defined()) all.push_back(mlp.gamma);
    return all;
  }
  Mlp mlp;
};

at::Tensor plain(const at::Tensor& x, const at::Tensor& h, const Mlp& mlp, const at::Tensor& keep) {
  at::Tensor y = at::linear(at::gelu(at::linear(h, mlp.fc1_weight, mlp.fc1_bias)), mlp.fc2_weight,
                            mlp.fc2_bias);
  if (mlp.gamma.defined()) y = y * mlp.gamma;
  return keep.defined() ? x + y * keep : x + y;
}

TEST(AddMlp, EqualsPyTorch) {
  for (const bool layer_scale : {false, true}) {
    for (const int64_t c : {8, 40, 96}) {
      const Leaves leaves(c, 4 * c, layer_scale);
      const at::Tensor x = leaf("x", {3, 7, 29, c});
      const at::Tensor h = leaf("h", {3, 7, 29, c});
      expect_same(add_mlp(x, h, leaves.mlp, {}), plain(x, h, leaves.mlp, {}), leaves.list(x, h),
                  "c " + std::to_string(c));
    }
  }
}

TEST(AddMlp, EqualsPyTorchWhereSamplesAreDropped) {
  const Leaves leaves(24, 96, true);
  const at::Tensor x = leaf("x", {5, 6, 7, 24});
  const at::Tensor h = leaf("h", {5, 6, 7, 24});
  for (const auto& mask : std::vector<std::vector<float>>{
           {0, 1.25f, 1.25f, 0, 1.25f}, {0, 0, 0, 0, 0}, {2, 2, 2, 2, 2}}) {
    const at::Tensor keep = at::tensor(mask).view({5, 1, 1, 1});
    const at::Tensor y = add_mlp(x, h, leaves.mlp, keep);
    if (mask[0] == 0) {
      EXPECT_TRUE(at::equal(y[0], x[0]));
    }
    if (keep.count_nonzero().item<int64_t>() == 0) {
      const auto gradients = torch::autograd::grad({y.sum()}, leaves.list(x, h));
      for (size_t i = 1; i < gradients.size(); ++i) {
        EXPECT_EQ(gradients[i].abs().max().item<float>(), 0) << i;
      }
      continue;
    }
    expect_same(y, plain(x, h, leaves.mlp, keep), leaves.list(x, h), "dropped");
  }
}

TEST(AddMlp, ComputesOnlyTheGradientsThatAreWanted) {
  const Leaves leaves(8, 32, true);
  const at::Tensor x = leaf("x", {2, 3, 3, 8});
  const at::Tensor h = synthetic("h", {2, 3, 3, 8});
  Mlp locked;
  locked.fc1_weight = leaves.mlp.fc1_weight.detach();
  locked.fc1_bias = leaves.mlp.fc1_bias.detach();
  locked.fc2_weight = leaves.mlp.fc2_weight.detach();
  locked.fc2_bias = leaves.mlp.fc2_bias.detach();
  locked.gamma = leaves.mlp.gamma.detach();
  const auto gradients = torch::autograd::grad({add_mlp(x, h, locked, {}).sum()}, {x});
  EXPECT_TRUE(at::equal(gradients[0], at::ones_like(x)));
}

}  // namespace
}  // namespace clipnext::train

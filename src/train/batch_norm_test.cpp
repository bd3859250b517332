#include "train/batch_norm.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <vector>

#include "train/group_test.h"
#include "train/testing.h"

namespace clipnext::train {
namespace {

using namespace testing;

constexpr int64_t kChannels = 5;
constexpr double kTight = 1e-12;  // everything is float64 here

at::Tensor drawn(at::IntArrayRef shape, uint64_t seed) {
  RandomStream random(seed);
  at::Tensor x = at::empty(shape, at::kDouble);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<double>()[i] = random.normal();
  return x;
}

model::ConvNorm<at::Tensor> norm() {
  model::ConvNorm<at::Tensor> p;
  p.gain = (drawn({kChannels}, 1) + 2).set_requires_grad(true);
  p.bias = drawn({kChannels}, 2).set_requires_grad(true);
  p.mean = drawn({kChannels}, 3);
  p.var = drawn({kChannels}, 4).square() + 0.5;
  return p;
}

struct Result {
  at::Tensor y, dx, gain, bias, mean, var;
};

/// Of sum(y * cotangent).
Result run(const at::Tensor& x, const at::Tensor& cotangent, Group* group) {
  const model::ConvNorm<at::Tensor> p = norm();
  const at::Tensor leaf = x.clone().set_requires_grad(true);
  const at::Tensor y = batch_norm(leaf, p, {.training = true, .batch_norm_group = group});
  torch::autograd::backward({(y * cotangent).sum()}, {});
  return {y.detach(), leaf.grad(), p.gain.grad(), p.bias.grad(), p.mean, p.var};
}

TEST(SharedBatchNorm, OfManyProcessesIsThatOfTheWholeBatch) {
  const int64_t world = 3;  // of 1, 2 and 3 samples
  const at::Tensor x = drawn({6, kChannels, 2, 3}, 7) * 3 + 1;
  const at::Tensor cotangent = drawn(x.sizes(), 8);
  const Result want = run(x, cotangent, nullptr);
  std::vector<Result> got(world);
  with_ranks(world, [&](Group& group) {
    const int64_t rank = group.rank();
    const auto mine = [&](const at::Tensor& all) {
      return all.narrow(0, rank * (rank + 1) / 2, rank + 1);
    };
    got[static_cast<size_t>(rank)] = run(mine(x), mine(cotangent), &group);
  });
  std::vector<at::Tensor> y, dx;
  at::Tensor gain = at::zeros({kChannels}, at::kDouble), bias = gain.clone();
  for (const Result& rank : got) {
    y.push_back(rank.y);
    dx.push_back(rank.dx);
    gain += rank.gain;
    bias += rank.bias;
    EXPECT_LE(relative_error(rank.mean, want.mean), kTight);
    EXPECT_LE(relative_error(rank.var, want.var), kTight);
  }
  EXPECT_LE(relative_error(at::cat(y), want.y), kTight);
  EXPECT_LE(relative_error(at::cat(dx), want.dx), kTight);
  EXPECT_LE(relative_error(gain, want.gain), kTight);
  EXPECT_LE(relative_error(bias, want.bias), kTight);
}

TEST(SharedBatchNorm, TowersOfTwoProcessesSeeOneBatch) {
  const auto config = small_config("resnet");
  const at::Tensor pixels = sample_pixels(config, 4).to(at::kDouble);
  const auto double_params = [&] {
    Params params = synthetic_params(config);
    cast_params(params, config, at::kDouble, CastRule::kPure);
    return params;
  };
  const at::NoGradGuard no_grad;
  Params params = double_params();
  const at::Tensor want = encode_image(params, config, pixels, {.training = true});
  with_ranks(2, [&](Group& group) {
    const at::NoGradGuard of_this_thread;
    Params mine = double_params();
    const at::Tensor got = encode_image(mine, config, pixels.narrow(0, group.rank() * 2, 2),
                                        {.training = true, .batch_norm_group = &group});
    EXPECT_LE(relative_error(got, want.narrow(0, group.rank() * 2, 2)), 1e-9);
  });
}

TEST(SharedBatchNorm, LowPrecisionComesBackInItsType) {
  const at::Tensor x = drawn({4, kChannels, 2, 2}, 7);
  with_ranks(2, [&](Group& group) {
    const model::ConvNorm<at::Tensor> p = norm();
    const Mode mode{.training = true, .batch_norm_group = &group};
    const at::Tensor narrow = batch_norm(x.to(at::kBFloat16), p, mode);
    EXPECT_EQ(narrow.scalar_type(), at::kBFloat16);
  });
}

}  // namespace
}  // namespace clipnext::train

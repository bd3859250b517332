#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

namespace clipnext::train {
namespace {

/// PyTorch's update as the specification writes it, in double.
void plain_adamw(double& p, double& m, double& v, double g, int step, double lr, double wd) {
  const double b1 = 0.9, b2 = 0.98, eps = 1e-8;
  p *= 1 - lr * wd;
  m = b1 * m + (1 - b1) * g;
  v = b2 * v + (1 - b2) * g * g;
  p -= lr / (1 - std::pow(b1, step)) * m / (std::sqrt(v) / std::sqrt(1 - std::pow(b2, step)) + eps);
}

TEST(AdamW, FollowsTheSpecification) {
  const at::Tensor decayed = at::tensor({1.5F, -2.0F}).set_requires_grad(true);
  const at::Tensor plain = at::tensor({0.25F}).set_requires_grad(true);
  AdamW optimizer(
      {{.slots = {make_slot("plain", plain)}},
       {.slots = {make_slot("decayed", decayed)}, .weight_decay = 0.2, .lr_scale = 0.5}},
      {.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8});
  double p[] = {1.5, -2, 0.25}, m[3] = {}, v[3] = {};
  for (int step = 1; step <= 5; ++step) {
    const double g[] = {0.3 * step, -1.0, std::sin(step)};
    decayed.mutable_grad() = at::tensor({static_cast<float>(g[0]), static_cast<float>(g[1])});
    plain.mutable_grad() = at::tensor({static_cast<float>(g[2])});
    optimizer.step(1e-2);
    for (int i = 0; i < 3; ++i) {
      plain_adamw(p[i], m[i], v[i], g[i], step, i < 2 ? 0.5e-2 : 1e-2, i < 2 ? 0.2 : 0);
    }
    EXPECT_NEAR(decayed[0].item<double>(), p[0], 1e-6);
    EXPECT_NEAR(decayed[1].item<double>(), p[1], 1e-6);
    EXPECT_NEAR(plain[0].item<double>(), p[2], 1e-6);
  }
  EXPECT_EQ(optimizer.groups()[0].slots[0].step.item<float>(), 5);
}

TEST(AdamW, LeavesAParameterWithoutGradientAlone) {
  const at::Tensor p = at::ones({3}).set_requires_grad(true);
  AdamW optimizer({{.slots = {make_slot("p", p)}, .weight_decay = 0.5}}, {});
  optimizer.step(0.1);
  EXPECT_TRUE(p.equal(at::ones({3})));
  EXPECT_EQ(optimizer.groups()[0].slots[0].step.item<float>(), 0);
}

TEST(AdamW, ClipsAllGradientsToOneNorm) {
  const at::Tensor a = at::zeros({2}).set_requires_grad(true);
  const at::Tensor b = at::zeros({1}).set_requires_grad(true);
  AdamW optimizer({{.slots = {make_slot("a", a), make_slot("b", b)}}}, {});
  a.mutable_grad() = at::tensor({3.0F, 0.0F});
  b.mutable_grad() = at::tensor({4.0F});
  EXPECT_NEAR(optimizer.clip_gradients(10), 5, 1e-6);
  EXPECT_EQ(b.grad().item<float>(), 4);
  EXPECT_NEAR(optimizer.clip_gradients(1), 5, 1e-6);
  EXPECT_NEAR(a.grad()[0].item<double>(), 0.6, 1e-6);
  EXPECT_NEAR(b.grad().item<double>(), 0.8, 1e-6);
}

}  // namespace
}  // namespace clipnext::train

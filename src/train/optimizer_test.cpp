#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "base/json.h"

namespace clipnext::train {
namespace {

using model::OptimizerOption;

/// What tools/make_optimizer_fixtures.py had timm 1.0.31 and torch 2.15 compute.
const OrderedJson& reference_cases() {
  static const OrderedJson file = parse_ordered_json(
      read_file(std::string(CLIPNEXT_SOURCE_DIR) + "/tests/data/train/optimizers.json"),
      "optimizers.json");
  return file["cases"];
}

OptimizerOption option_of(const OrderedJson& json) {
  if (json.is_null()) return std::monostate();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_array()) return json.get<std::array<double, 2>>();
  return json.get<double>();
}

at::Tensor sines(int64_t count, double a, double b) {
  at::Tensor values = at::empty({count});
  for (int64_t k = 0; k < count; ++k) {
    values.data_ptr<float>()[k] = static_cast<float>(std::sin(a * static_cast<double>(k) + b));
  }
  return values;
}

Optimizer optimizer_of(const OrderedJson& row, const at::Tensor& plain, const at::Tensor& decayed) {
  auto kind = model::optimizer_kind(row["opt"].get<std::string>());
  kind.options.set("lr", 1e-2);
  if (kind.options.find("max_lr_snapshot") != nullptr) kind.options.set("max_lr_snapshot", 1e-2);
  for (const auto& [name, value] : row["kwargs"].items()) {
    model::set_argument(kind, name, option_of(value));
  }
  return {std::move(kind),
          {{.slots = {{.name = "plain", .parameter = plain}}},
           {.slots = {{.name = "decayed", .parameter = decayed}}, .weight_decay = 0.2}}};
}

TEST(Optimizer, ComputesWhatPyTorchAndTimmCompute) {
  ASSERT_GE(reference_cases().size(), 24U);
  for (const OrderedJson& row : reference_cases()) {
    SCOPED_TRACE(row["opt"].get<std::string>() + " " + row["kwargs"].dump());
    const at::Tensor plain = sines(3, 1.1, 0.4).set_requires_grad(true);
    const at::Tensor decayed = sines(6, 0.7, 0.2).view({2, 3}).set_requires_grad(true);
    Optimizer optimizer = optimizer_of(row, plain, decayed);
    int step = 0;
    for (const OrderedJson& values : row["values"]) {
      ++step;
      plain.mutable_grad() = sines(3, 0.9, 1.3 * step);
      decayed.mutable_grad() = sines(6, 1.7, 0.6 * step).view({2, 3});
      optimizer.step(1e-2 / step);
      const at::Tensor want = at::tensor(values.get<std::vector<float>>());
      const at::Tensor got = at::cat({plain.detach(), decayed.detach().flatten()});
      // Rounding of single operations, 6 times; updates are of 1e-3 to 1e-2.
      EXPECT_LE((got - want).abs().max().item<double>(), 3e-7) << "step " << step;
    }
  }
}

TEST(Optimizer, NamesItsOptionsAndStateAsTheirs) {
  for (const OrderedJson& row : reference_cases()) {
    SCOPED_TRACE(row["opt"].get<std::string>() + " " + row["kwargs"].dump());
    const at::Tensor plain = sines(3, 1, 0).set_requires_grad(true), other = plain.detach().clone();
    Optimizer optimizer = optimizer_of(row, plain, other.set_requires_grad(true));
    plain.mutable_grad() = sines(3, 1, 1);
    optimizer.step(row["group"]["lr"].get<double>());
    const auto options = optimizer.options_of(optimizer.groups()[1]);
    std::vector<std::string> names, theirs;
    for (const auto& [name, value] : row["group"].items()) {
      if (name == "step") continue;  // of the group, see model/optimizer_values.cpp
      theirs.push_back(name);
      const OptimizerOption* ours = options.find(name);
      ASSERT_NE(ours, nullptr) << name;
      if (value.is_number()) {
        EXPECT_EQ(options.number(name), value.get<double>()) << name;
      } else {
        EXPECT_EQ(*ours, option_of(value)) << name;
      }
    }
    for (const auto& [name, value] : options.items) names.push_back(name);
    EXPECT_EQ(names, theirs);

    std::vector<std::string> state;
    if (optimizer.kind().steps == model::StepCount::kByParameter) state.emplace_back("step");
    if (optimizer.kind().rule == model::OptimizerRule::kNAdam) state.emplace_back("mu_product");
    state.insert(state.end(), optimizer.kind().state.begin(), optimizer.kind().state.end());
    if (row["state"].empty()) continue;  // SGD without momentum keeps none there
    EXPECT_EQ(state, row["state"].get<std::vector<std::string>>());
  }
}

TEST(Optimizer, TakesTheShareOfTheLearningRateOfEachGroup) {
  const at::Tensor p = at::ones({2}).set_requires_grad(true);
  Optimizer optimizer(model::optimizer_kind("timm/sgd"),
                      {{.slots = {{.name = "p", .parameter = p}}, .lr_scale = 0.5}});
  p.mutable_grad() = at::ones({2});
  optimizer.step(0.1);
  EXPECT_NEAR(p[0].item<double>(), 1 - 0.05 * 1.9, 1e-6);  // Nesterov: g + 0.9 g
}

TEST(Optimizer, LeavesAParameterWithoutGradientAlone) {
  for (const OrderedJson& row : reference_cases()) {
    const at::Tensor p = at::ones({3}).set_requires_grad(true);
    const at::Tensor q = at::ones({3}).set_requires_grad(true);
    Optimizer optimizer = optimizer_of(row, p, q);
    optimizer.step(0.1);
    EXPECT_TRUE(q.equal(at::ones({3}))) << row["opt"];
    EXPECT_EQ(optimizer.groups()[1].slots[0].step.item<float>(), 0);
  }
}

TEST(Optimizer, ClipsAllGradientsToOneNorm) {
  const at::Tensor a = at::zeros({2}).set_requires_grad(true);
  const at::Tensor b = at::zeros({1}).set_requires_grad(true);
  Optimizer optimizer(model::optimizer_kind("adamw"),
                      {{.slots = {{.name = "a", .parameter = a}, {.name = "b", .parameter = b}}}});
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

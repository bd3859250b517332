#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "train/device.h"

namespace clipnext::train {
namespace {

using model::OptimizerOption;

/// What tools/make_optimizer_fixtures.py had timm 1.0.31 and torch 2.15 compute.
const OrderedJson& reference(const char* part) {
  static const OrderedJson file = parse_ordered_json(
      read_file(std::string(CLIPNEXT_SOURCE_DIR) + "/tests/data/train/optimizers.json"),
      "optimizers.json");
  return file[part];
}
const OrderedJson& reference_cases() { return reference("cases"); }
const OrderedJson& muon_cases() { return reference("muon"); }

OptimizerOption option_of(const OrderedJson& json) {
  if (json.is_null()) return std::monostate();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array() && json[0].is_array()) return json.get<model::Coefficients>();
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

model::OptimizerKind kind_of(const OrderedJson& row) {
  auto kind = model::optimizer_kind(row["opt"].get<std::string>());
  kind.options.set("lr", 1e-2);
  if (kind.options.find("max_lr_snapshot") != nullptr) kind.options.set("max_lr_snapshot", 1e-2);
  for (const auto& [name, value] : row["kwargs"].items()) {
    model::set_argument(kind, name, option_of(value));
  }
  return kind;
}

Optimizer optimizer_of(const OrderedJson& row, const at::Tensor& plain, const at::Tensor& decayed) {
  return {kind_of(row),
          {{.slots = {{.name = "plain", .parameter = plain}}},
           {.slots = {{.name = "decayed", .parameter = decayed}}, .weight_decay = 0.2}}};
}

void expect_reference_updates(at::Device device) {
  ASSERT_GE(reference_cases().size(), 24U);
  for (const OrderedJson& row : reference_cases()) {
    SCOPED_TRACE(row["opt"].get<std::string>() + " " + row["kwargs"].dump());
    const at::Tensor plain = sines(3, 1.1, 0.4).to(device).set_requires_grad(true);
    const at::Tensor decayed = sines(6, 0.7, 0.2).view({2, 3}).to(device).set_requires_grad(true);
    Optimizer optimizer = optimizer_of(row, plain, decayed);
    int step = 0;
    for (const OrderedJson& values : row["values"]) {
      ++step;
      plain.mutable_grad() = sines(3, 0.9, 1.3 * step).to(device);
      decayed.mutable_grad() = sines(6, 1.7, 0.6 * step).view({2, 3}).to(device);
      optimizer.step(1e-2 / step);
      const at::Tensor want = at::tensor(values.get<std::vector<float>>());
      const at::Tensor got = at::cat({plain.detach(), decayed.detach().flatten()}).cpu();
      // Rounding of single operations, 6 times; updates are of 1e-3 to 1e-2.
      EXPECT_LE((got - want).abs().max().item<double>(), 3e-7) << "step " << step;
    }
  }
}

TEST(Optimizer, ComputesWhatPyTorchAndTimmCompute) { expect_reference_updates(at::kCPU); }

TEST(GpuOptimizer, ComputesWhatPyTorchAndTimmCompute) {
  if (find_gpus().count == 0) GTEST_SKIP() << find_gpus().why_none;
  expect_reference_updates(at::kCUDA);
}

/// The group's options, without what is the state's.
void expect_options(const model::OptimizerOptions& options, const OrderedJson& group) {
  std::vector<std::string> names, theirs;
  for (const auto& [name, value] : group.items()) {
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
}

TEST(Optimizer, NamesItsOptionsAndStateAsTheirs) {
  for (const OrderedJson& row : reference_cases()) {
    SCOPED_TRACE(row["opt"].get<std::string>() + " " + row["kwargs"].dump());
    const at::Tensor plain = sines(3, 1, 0).set_requires_grad(true), other = plain.detach().clone();
    Optimizer optimizer = optimizer_of(row, plain, other.set_requires_grad(true));
    plain.mutable_grad() = sines(3, 1, 1);
    optimizer.step(row["group"]["lr"].get<double>());
    expect_options(optimizer.options_of(optimizer.groups()[1]), row["group"]);

    std::vector<std::string> state;
    if (optimizer.kind().steps == model::StepCount::kByParameter) state.emplace_back("step");
    if (optimizer.kind().rule == model::OptimizerRule::kNAdam) state.emplace_back("mu_product");
    state.insert(state.end(), optimizer.kind().state.begin(), optimizer.kind().state.end());
    if (row["state"].empty()) continue;  // SGD without momentum keeps none there
    EXPECT_EQ(state, row["state"].get<std::vector<std::string>>());
  }
}

// ---- Muon ----

struct Shaped {
  const char* name;
  std::vector<int64_t> shape;
};

/// The parameters of tools/make_optimizer_fixtures.py, whose last is left to AdamW by its group.
const std::vector<Shaped> kMuonShapes = {
    {"bias", {5}}, {"matrix", {5, 7}}, {"tall", {9, 4}}, {"conv", {6, 4, 3, 2}}, {"left", {4, 6}}};

at::Tensor chirp(at::IntArrayRef shape, double a, double b) {
  at::Tensor values = at::empty(shape);
  for (int64_t k = 0; k < values.numel(); ++k) {
    values.data_ptr<float>()[k] = static_cast<float>(std::sin(a * static_cast<double>(k * k) + b));
  }
  return values;
}

Optimizer muon_of(const OrderedJson& row, at::Device device = at::kCPU) {
  std::vector<Slot> slots;
  for (const auto& [name, shape] : kMuonShapes) {
    const at::Tensor parameter = chirp(shape, 0.3, 0.2).to(device).set_requires_grad(true);
    slots.push_back({.name = name, .parameter = parameter});
  }
  return {kind_of(row),
          {{.slots = {slots[0]}},
           {.slots = {slots[1], slots[2], slots[3]}, .weight_decay = 0.2},
           {.slots = {slots[4]}, .weight_decay = 0.2, .fallback = true}}};
}

std::vector<Slot*> slots_of(Optimizer& optimizer) {
  std::vector<Slot*> slots;
  for (SlotGroup& group : optimizer.groups()) {
    for (Slot& slot : group.slots) slots.push_back(&slot);
  }
  return slots;
}

void step_muon(Optimizer& optimizer, int steps) {
  const std::vector<Slot*> slots = slots_of(optimizer);
  for (int step = 1; step <= steps; ++step) {
    for (size_t i = 0; i < slots.size(); ++i) {
      const at::Tensor& parameter = slots[i]->parameter;
      parameter.mutable_grad() =
          chirp(parameter.sizes(), 0.7 + 0.1 * static_cast<double>(i), 0.6 * step)
              .to(parameter.device());
    }
    optimizer.step(1e-2 / step);
  }
}

/// tolerance: of the way that a matrix goes.
void expect_reference_muon(at::Device device, double tolerance) {
  ASSERT_GE(muon_cases().size(), 19U);
  for (const OrderedJson& row : muon_cases()) {
    SCOPED_TRACE(row["opt"].get<std::string>() + " " + row["kwargs"].dump());
    Optimizer optimizer = muon_of(row, device);
    step_muon(optimizer, 4);
    for (const Slot* slot : slots_of(optimizer)) {
      const at::Tensor got = slot->parameter.detach().cpu().flatten();
      const at::Tensor want = at::tensor(row["values"][slot->name].get<std::vector<float>>());
      if (slot->by_muon) {
        // Products of matrices in bfloat16 are rounded as the processor's kernels do. Those of
        // float32 in their place would be 0.5 % of the way off; a GPU's are 1.5 %.
        const at::Tensor way = want - chirp(slot->parameter.sizes(), 0.3, 0.2).flatten();
        EXPECT_LE((got - want).norm().item<double>(), tolerance * way.norm().item<double>())
            << slot->name;
      } else {
        EXPECT_LE((got - want).abs().max().item<double>(), 3e-7) << slot->name;
      }
    }
  }
}

TEST(Muon, ComputesWhatTimmComputes) { expect_reference_muon(at::kCPU, 0.01); }

TEST(GpuMuon, ComputesWhatTimmComputes) {
  if (find_gpus().count == 0) GTEST_SKIP() << find_gpus().why_none;
  expect_reference_muon(at::kCUDA, 0.03);
}

TEST(Muon, NamesItsOptionsAndStateAsTimm) {
  for (const OrderedJson& row : muon_cases()) {
    SCOPED_TRACE(row["opt"].get<std::string>() + " " + row["kwargs"].dump());
    Optimizer optimizer = muon_of(row);
    step_muon(optimizer, 4);
    expect_options(optimizer.options_of(optimizer.groups()[2]), row["group"]);
    for (const Slot* slot : slots_of(optimizer)) {
      auto theirs = row["state"][slot->name].get<std::vector<std::string>>();
      // They stand beside the tensors of the parameter's shape, see model/optimizer_values.cpp.
      std::erase_if(theirs, [](const auto& name) { return name == "use_muon" || name == "step"; });
      EXPECT_EQ(model::state_names(optimizer.kind(), slot->by_muon), theirs) << slot->name;
      EXPECT_EQ(slot->state.size(), theirs.size()) << slot->name;
    }
  }
}

TEST(Muon, MovesByNumbersOfBFloat16) {
  auto kind = model::optimizer_kind("timm/muon");
  model::set_argument(kind, "adjust_lr_fn", std::monostate());
  const at::Tensor p = at::zeros({5, 7}).set_requires_grad(true);
  Optimizer optimizer(std::move(kind), {{.slots = {{.name = "p", .parameter = p}}}});
  p.mutable_grad() = chirp({5, 7}, 0.7, 0.6);
  optimizer.step(1);
  EXPECT_TRUE(p.equal(p.to(at::kBFloat16).to(at::kFloat)));
  const at::Tensor gram = at::matmul(p, p.t()).detach();
  EXPECT_LE((gram - at::eye(5)).abs().max().item<double>(), 0.1);  // 5 steps come that near
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

#include "train/step.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"

namespace clipnext::train {
namespace {

constexpr const char* kModel = R"({
  "embed_dim": 8,
  "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
  "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}})";

/// A small model and batches for it.
struct Fixture {
  Fixture() : config(model::parse_model_config(Json::parse(kModel), "small", "test")) {
    params = make_params(config);
    initialise(params, config, 5);
  }

  AdamW optimizer() {
    SlotGroup group;
    for_each_param(params, config, [&](at::Tensor& t, const model::ParamInfo& info) {
      group.slots.push_back(make_slot(info.name, t));
    });
    return AdamW({std::move(group)}, {});
  }

  DeviceBatch batch(int64_t n, uint64_t seed) const {
    RandomStream random(seed);
    at::Tensor pixels = at::empty({n, 32, 32, 3});
    for (int64_t i = 0; i < pixels.numel(); ++i) {
      pixels.data_ptr<float>()[i] = static_cast<float>(random.normal());
    }
    DeviceBatch made{.pixels = pixels, .tokens = {}};
    for (int64_t i = 0; i < n; ++i) {
      const std::vector<int32_t> row = {49406, static_cast<int32_t>(random.below(40000)),
                                        static_cast<int32_t>(random.below(40000)), 49407};
      made.tokens.add(row);
    }
    return made;
  }

  /// Two batches as one.
  static DeviceBatch joined(const DeviceBatch& a, const DeviceBatch& b) {
    DeviceBatch both{.pixels = at::cat({a.pixels, b.pixels}), .tokens = {}};
    for (const DeviceBatch* part : {&a, &b}) {
      for (int64_t i = 0; i < part->tokens.size(); ++i) both.tokens.add(part->tokens.row(i));
    }
    return both;
  }

  model::ClipConfig config;
  Params params;
  Group alone;
};

at::Tensor gradient(AdamW& optimizer, const std::string& name) {
  for (SlotGroup& group : optimizer.groups()) {
    for (Slot& slot : group.slots) {
      if (slot.name == name) return slot.parameter.grad();
    }
  }
  return {};
}

TEST(Stepper, ClampsTheLogitScale) {
  for (const auto& [start, end] : {std::pair(5.0, 4.6051702), std::pair(-1.0, 0.0)}) {
    Fixture f;
    Stepper stepper(f.params, f.config, f.optimizer(), f.alone, {});
    f.params.logit_scale.detach().fill_(start);
    const StepReport report = stepper.step(std::vector{f.batch(4, 1)}, 0, 0);
    EXPECT_NEAR(f.params.logit_scale.item<double>(), end, 1e-6);
    EXPECT_NEAR(report.logit_scale, std::exp(end), 1e-4);
  }
}

TEST(Stepper, AccumulatedBatchesGiveTheGradientOfTheirUnion) {
  for (const bool fixed : {false, true}) {
    Fixture f;
    Stepper stepper(f.params, f.config, f.optimizer(), f.alone, {.fix_accumulated_scale = fixed});
    const DeviceBatch a = f.batch(3, 1), b = f.batch(3, 2);
    stepper.step(std::vector{Fixture::joined(a, b)}, 0, 0);
    std::map<std::string, at::Tensor> whole;
    for (const Slot& slot : stepper.optimizer().groups()[0].slots) {
      whole[slot.name] = slot.parameter.grad().clone();
    }
    stepper.step(std::vector{a, b}, 0, 0);
    for (const auto& [name, want] : whole) {
      const double times = name == "logit_scale" && !fixed ? 2 : 1;  // as in the reference
      const at::Tensor off = gradient(stepper.optimizer(), name) - want * times;
      EXPECT_LE(off.norm().item<double>(), 1e-5 * want.norm().item<double>() + 1e-8) << name;
    }
  }
}

TEST(Stepper, EndsOrSkipsWhereTheLossIsNotFinite) {
  Fixture f;
  DeviceBatch bad = f.batch(4, 1);
  bad.pixels.fill_(std::numeric_limits<float>::quiet_NaN());
  {
    Stepper stepper(f.params, f.config, f.optimizer(), f.alone, {});
    EXPECT_THROW(stepper.step(std::vector{bad}, 0.1, 17), Error);
  }
  Stepper stepper(f.params, f.config, f.optimizer(), f.alone, {.on_nan = OnNan::kSkip});
  const at::Tensor before = f.params.text.projection.detach().clone();
  const StepReport report = stepper.step(std::vector{bad}, 0.1, 0);
  EXPECT_TRUE(report.skipped);
  EXPECT_EQ(stepper.skipped_steps(), 1);
  EXPECT_TRUE(f.params.text.projection.equal(before));
  EXPECT_FALSE(stepper.step(std::vector{f.batch(4, 2)}, 0.1, 1).skipped);
}

TEST(Stepper, AveragesWeightsOverSteps) {
  Fixture f;
  Stepper stepper(f.params, f.config, f.optimizer(), f.alone, {.ema_decay = 0.75});
  const at::Tensor start = f.params.text.projection.detach().clone();
  stepper.step(std::vector{f.batch(4, 1)}, 0.01, 0);
  size_t i = 0, at = 0;
  for_each_param(f.params, f.config, [&](at::Tensor&, const model::ParamInfo& info) {
    if (info.name == "text_projection") at = i;
    ++i;
  });
  const at::Tensor want = start * 0.75 + f.params.text.projection.detach() * 0.25;
  EXPECT_TRUE(stepper.ema()[at].allclose(want, 1e-6, 1e-7));
}

TEST(Stepper, ClipsByTheNormOfAllGradients) {
  Fixture f;
  Stepper stepper(f.params, f.config, f.optimizer(), f.alone, {.clip_norm = 1e-3});
  const StepReport report = stepper.step(std::vector{f.batch(4, 1)}, 0, 0);
  EXPECT_GT(report.gradient_norm, 1e-3);
  double squares = 0;
  for (const Slot& slot : stepper.optimizer().groups()[0].slots) {
    squares += std::pow(slot.parameter.grad().norm().item<double>(), 2);
  }
  EXPECT_NEAR(std::sqrt(squares), 1e-3, 1e-6);
}

TEST(LossScaler, GrowsAfterCleanStepsAndHalvesAtAnOverflow) {
  LossScaler scaler{.growth_interval = 3};
  for (int i = 0; i < 3; ++i) scaler.update(false);
  EXPECT_EQ(scaler.scale, 131072);
  scaler.update(true);
  EXPECT_EQ(scaler.scale, 65536);
  EXPECT_EQ(scaler.clean_steps, 0);
}

}  // namespace
}  // namespace clipnext::train

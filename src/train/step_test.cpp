#include "train/step.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "run/parse_options.h"
#include "train/group_test.h"
#include "train/setup.h"

namespace clipnext::train {
namespace {

constexpr const char* kModel = R"({
  "embed_dim": 8,
  "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
  "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}})";

constexpr const char* kResNet = R"({
  "embed_dim": 8,
  "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
  "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}})";

/// A small model and batches for it. In float64 the towers' rounding is out of the way (features
/// and loss are float32 all the same), and texts differ as they do after training: at first they
/// are all but equal, and their gradients cancel.
struct Fixture {
  explicit Fixture(at::ScalarType type = at::kFloat, const char* model = kModel)
      : config(model::parse_model_config(Json::parse(model), "small", "test")) {
    params = make_params(config);
    initialise(params, config, 5);
    if (type == at::kFloat) return;
    cast_params(params, config, type, CastRule::kPure);
    params.text.token_embedding.detach().mul_(50);
  }

  Optimizer optimizer() {
    SlotGroup group;
    for_each_param(params, config, [&](at::Tensor& t, const model::ParamInfo& info) {
      if (info.role == model::Role::kStatistic) return;
      group.slots.push_back({.name = info.name, .parameter = t});
    });
    return {model::optimizer_kind("adamw"), {std::move(group)}};
  }

  DeviceBatch batch(int64_t n, uint64_t seed) const {
    RandomStream random(seed);
    at::Tensor pixels = at::empty({n, 32, 32, 3});
    for (int64_t i = 0; i < pixels.numel(); ++i) {
      pixels.data_ptr<float>()[i] = static_cast<float>(random.normal());
    }
    DeviceBatch made{.pixels = pixels.to(params.logit_scale.scalar_type()), .tokens = {}};
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

// Spec: training.md section 10, item 6.
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

using Gradients = std::map<std::string, at::Tensor>;

Gradients gradients_of(Stepper& stepper) {
  Gradients found;
  for (const Slot& slot : stepper.optimizer().groups()[0].slots) {
    found[slot.name] = slot.parameter.grad().clone();
  }
  return found;
}

/// Every gradient is `want`, those of the towers times `towers`, that of the logit scale times
/// `scale`: to 1e-6 of its norm, or, where it is as good as zero, of the largest one's.
void expect_gradients(const Gradients& got, const Gradients& want, double towers, double scale) {
  double largest = 0;
  for (const auto& [name, gradient] : want) {
    largest = std::max(largest, gradient.norm().item<double>());
  }
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, gradient] : want) {
    const at::Tensor expected = gradient * (name == "logit_scale" ? scale : towers);
    const double off = (got.at(name) - expected).norm().item<double>();
    EXPECT_LE(off, 1e-6 * std::max(expected.norm().item<double>(), 0.1 * largest)) << name;
  }
}

// Spec: training.md section 10, item 4.
TEST(Stepper, AccumulatedBatchesGiveTheGradientOfTheirUnion) {
  for (const size_t k : {2, 4}) {
    for (const bool fixed : {false, true}) {
      Fixture f(at::kDouble);
      Stepper stepper(f.params, f.config, f.optimizer(), f.alone, {.fix_accumulated_scale = fixed});
      std::vector<DeviceBatch> parts;
      for (size_t i = 0; i < k; ++i) parts.push_back(f.batch(3, 1 + i));
      DeviceBatch whole = parts[0];
      for (size_t i = 1; i < k; ++i) whole = Fixture::joined(whole, parts[i]);
      stepper.step(std::vector{whole}, 0, 0);
      const Gradients want = gradients_of(stepper);
      stepper.step(parts, 0, 0);
      // The scale counts k times, as in the reference, unless that is put right.
      expect_gradients(gradients_of(stepper), want, 1, fixed ? 1 : static_cast<double>(k));
    }
  }
}

// Spec: training.md section 10, item 3; that --local-loss alone is refused stands in
// run/parse_options_test.cpp.
TEST(Stepper, FourProcessesGiveTheGradientOfOneOnTheWholeBatch) {
  const int64_t world = 4;
  Fixture whole(at::kDouble);
  std::vector<DeviceBatch> parts;
  for (int64_t rank = 0; rank < world; ++rank) {
    parts.push_back(whole.batch(3, static_cast<uint64_t>(rank + 1)));
  }
  DeviceBatch all = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) all = Fixture::joined(all, parts[i]);
  Stepper alone(whole.params, whole.config, whole.optimizer(), whole.alone, {});
  const StepReport report = alone.step(std::vector{all}, 0, 0);
  const Gradients want = gradients_of(alone);

  struct Variant {
    std::vector<std::string> arguments;
    double towers;
  };
  for (const Variant& variant :
       {Variant{{"--local-loss", "--gather-with-grad"}, 1}, Variant{{"--gather-with-grad"}, 1},
        Variant{{"--gather-with-grad", "--loss-memory", "exchange"}, 1},
        Variant{{}, 1.0 / static_cast<double>(world)}}) {
    std::vector<Gradients> got(static_cast<size_t>(world));
    std::vector<double> losses(static_cast<size_t>(world));
    with_ranks(world, [&](Group& group) {
      const auto rank = static_cast<size_t>(group.rank());
      const auto options = run::parse_options(variant.arguments).options;
      Fixture f(at::kDouble);
      Stepper stepper(f.params, f.config, f.optimizer(), group,
                      step_options(options, parse_precision("fp32")));
      losses[rank] = stepper.step(std::vector{parts[rank]}, 0, 0).loss.item<double>();
      got[rank] = gradients_of(stepper);
    });
    double mean = 0;
    for (size_t rank = 0; rank < got.size(); ++rank) {
      mean += losses[rank] / static_cast<double>(world);
      expect_gradients(got[rank], want, variant.towers, 1);
    }
    EXPECT_NEAR(mean, report.loss.item<double>(), 1e-6 * mean);
  }
}

// The passes without gradients of accumulated batches exchange statistics too.
TEST(Stepper, BatchNormsOfAllProcessesGiveTheGradientOfOneOnTheWholeBatch) {
  const int64_t world = 2;
  for (const size_t accumulated : {1, 2}) {
    Fixture whole(at::kDouble, kResNet);
    std::vector<DeviceBatch> all;
    std::vector<std::vector<DeviceBatch>> parts(static_cast<size_t>(world));
    for (size_t j = 0; j < accumulated; ++j) {
      for (size_t rank = 0; rank < parts.size(); ++rank) {
        parts[rank].push_back(whole.batch(3, 1 + 2 * j + rank));
      }
      all.push_back(Fixture::joined(parts[0][j], parts[1][j]));
    }
    Stepper alone(whole.params, whole.config, whole.optimizer(), whole.alone, {});
    alone.step(all, 0, 0);
    const Gradients want = gradients_of(alone);
    for (const bool shared : {true, false}) {
      std::vector<Gradients> got(static_cast<size_t>(world));
      with_ranks(world, [&](Group& group) {
        const auto rank = static_cast<size_t>(group.rank());
        Fixture f(at::kDouble, kResNet);
        Stepper stepper(f.params, f.config, f.optimizer(), group, {.share_batch_norm = shared});
        stepper.step(parts[rank], 0, 0);
        got[rank] = gradients_of(stepper);
      });
      for (const Gradients& rank : got) {
        if (shared) {
          expect_gradients(rank, want, 1, 1);
        } else {
          EXPECT_FALSE(rank.at("visual.conv1.weight").allclose(want.at("visual.conv1.weight")));
        }
      }
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

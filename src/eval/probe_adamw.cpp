#include <cmath>
#include <vector>

#include "base/error.h"
#include "eval/probe_solvers.h"

namespace clipnext::eval {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr float kEps = 1e-8f;
constexpr double kPi = 3.14159265358979323846;

// Moments of every weight and bias, and where the steps stand.
struct Moments {
  explicit Moments(const ProbeLayers& layers)
      : m(layers.weights.size()),
        v(layers.weights.size()),
        bias_m(layers.biases.size()),
        bias_v(layers.biases.size()) {}
  std::vector<float> m, v, bias_m, bias_v;
};

void step_layers(ProbeLayers& layers, Moments& moments, std::span<const AdamWStep> steps,
                 ProbeBatch& batch) {
  batch.gradients(layers, [&](int64_t row, const float* gradient, float bias_gradient) {
    const AdamWStep& step = steps[static_cast<size_t>(row / layers.classes)];
    const int64_t at = row * layers.dim;
    step.apply(layers.weights.data() + at, moments.m.data() + at, moments.v.data() + at, gradient,
               layers.dim);
    step.apply(layers.biases.data() + row, moments.bias_m.data() + row, moments.bias_v.data() + row,
               &bias_gradient, 1);
  });
}

}  // namespace

double cosine_rate(double first, int64_t step, int64_t steps) {
  return 0.5 * (1 + std::cos(kPi * static_cast<double>(step) / static_cast<double>(steps))) * first;
}

AdamWStep::AdamWStep(double rate, double weight_decay, int64_t step)
    : keep(static_cast<float>(1 - rate * weight_decay)),
      step_size(static_cast<float>(rate / (1 - std::pow(kBeta1, static_cast<double>(step))))),
      root_correction(
          static_cast<float>(std::sqrt(1 - std::pow(kBeta2, static_cast<double>(step))))) {}

void AdamWStep::apply(float* w, float* m, float* v, const float* g, int64_t count) const {
  constexpr auto kTake1 = static_cast<float>(1 - kBeta1);
  constexpr auto kKeep2 = static_cast<float>(kBeta2);
  constexpr auto kTake2 = static_cast<float>(1 - kBeta2);
  for (int64_t i = 0; i < count; ++i) {
    m[i] += kTake1 * (g[i] - m[i]);
    v[i] = v[i] * kKeep2 + kTake2 * g[i] * g[i];
    const float root = std::sqrt(v[i]) / root_correction + kEps;
    w[i] = w[i] * keep - step_size * (m[i] / root);
  }
}

ProbeLayers train_adamw(const ProbeTask& task, std::span<const double> weight_decays,
                        const AdamWOptions& options, ThreadPool& pool,
                        const BetweenSteps& between) {
  const auto count = static_cast<int64_t>(task.ids.size());
  require(count > 0, "no samples to train on");
  require(options.epochs >= 0 && options.batch_size > 0, "epochs ", options.epochs,
          " and batch size ", options.batch_size, ": expected at least 0 and 1");
  ProbeLayers layers(static_cast<int64_t>(weight_decays.size()), task.classes, task.samples.dim);
  init_layers(layers, options.seed);
  Moments moments(layers);
  ProbeBatch batch(pool);
  const int64_t size = std::min(options.batch_size, count);
  const int64_t per_epoch = (count + size - 1) / size;
  std::vector<int64_t> order;
  std::vector<AdamWStep> steps;
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    order.assign(task.ids.begin(), task.ids.end());
    shuffle(order,
            stream_seed(options.seed, RandomStream::kFirstEpoch, static_cast<uint64_t>(epoch)));
    for (int64_t i = 0; i < per_epoch; ++i) {
      if (between) between();
      const int64_t done = epoch * per_epoch + i;
      const double rate = cosine_rate(options.learning_rate, done, options.epochs * per_epoch);
      steps.clear();
      for (const double decay : weight_decays) steps.emplace_back(rate, decay, done + 1);
      const int64_t begin = i * size;
      const auto ids = std::span(order).subspan(static_cast<size_t>(begin),
                                                static_cast<size_t>(std::min(size, count - begin)));
      batch.gather(task.samples, ids);
      batch.forward(layers, static_cast<double>(ids.size()));
      step_layers(layers, moments, steps, batch);
    }
  }
  return layers;
}

}  // namespace clipnext::eval

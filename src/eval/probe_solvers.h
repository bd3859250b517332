// The two ways to train the linear layers of a probe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/thread_pool.h"
#include "eval/probe_data.h"
#include "eval/probe_layers.h"

namespace clipnext::eval {

/// What to train on and how large a layer.
struct ProbeTask {
  SamplePool samples;
  std::span<const int64_t> ids;  // of the samples to use; labels are below `classes`
  int64_t classes = 0;
};

/// Called between steps; what it throws ends the training.
using BetweenSteps = std::function<void()>;

struct AdamWOptions {
  double learning_rate = 0.1;
  int64_t epochs = 10;
  int64_t batch_size = 64;
  uint64_t seed = 0;
};

/// 1/2 (1 + cos(pi step / steps)) * first: the learning rate of one step of so many.
double cosine_rate(double first, int64_t step, int64_t steps);

/// One step of AdamW (Loshchilov, Hutter, arXiv:1711.05101; betas 0.9, 0.999, eps 1e-8) as PyTorch
/// computes it in fp32. `step` counts from 1.
struct AdamWStep {
  AdamWStep(double rate, double weight_decay, int64_t step);

  float keep, step_size, root_correction;
  /// w, m, v and the gradient g [count].
  void apply(float* w, float* m, float* v, const float* g, int64_t count) const;
};

/// One layer for each weight decay, all from the same beginning and over the same batches,
/// reshuffled each epoch. The decay is decoupled and takes in the bias.
ProbeLayers train_adamw(const ProbeTask& task, std::span<const double> weight_decays,
                        const AdamWOptions& options, ThreadPool& pool, const BetweenSteps& between);

/// Multinomial logistic regression as scikit-learn's LogisticRegression(C = 1 / strength) has it:
/// minimises sum of cross-entropies + strength / 2 * |weights|^2, the bias free, from zero, by
/// L-BFGS (10 corrections) until no element of the gradient of that sum over the number of samples
/// is above 1e-4, for at most `most_iterations`.
ProbeLayers train_lbfgs(const ProbeTask& task, double strength, int64_t most_iterations,
                        ThreadPool& pool, const BetweenSteps& between);

}  // namespace clipnext::eval

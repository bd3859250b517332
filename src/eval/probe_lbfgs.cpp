#include <lbfgs.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "eval/probe_solvers.h"

namespace clipnext::eval {
namespace {

constexpr int64_t kBatch = 1024;
constexpr double kTolerance = 1e-4;

// The function that liblbfgs minimises: of the weights [classes, dim], then the biases, in double.
class Objective {
 public:
  Objective(const ProbeTask& task, double strength, ThreadPool& pool, const BetweenSteps& between)
      : task_(task),
        strength_(strength),
        between_(between),
        layer_(1, task.classes, task.samples.dim),
        batch_(pool),
        losses_(static_cast<size_t>(kBatch)) {}

  size_t size() const { return layer_.weights.size() + layer_.biases.size(); }

  // Exceptions may not cross the C library: one is kept, and the search called off.
  static double evaluate(void* self, const double* x, double* gradient, int, double) {
    auto& objective = *static_cast<Objective*>(self);
    try {
      if (!objective.error_) return objective.compute(x, gradient);
    } catch (...) {
      objective.error_ = std::current_exception();
    }
    return std::numeric_limits<double>::quiet_NaN();
  }

  // Stops the search by a value other than 0.
  static int progress(void* self, const double*, const double* gradient, double, double, double,
                      double, int n, int, int) {
    if (static_cast<Objective*>(self)->error_) return 1;
    for (int i = 0; i < n; ++i) {
      if (std::abs(gradient[i]) > kTolerance) return 0;
    }
    return 1;
  }

  ProbeLayers take(const double* x) {
    if (error_) std::rethrow_exception(error_);
    set(x);
    return std::move(layer_);
  }

 private:
  void set(const double* x) {
    const size_t weights = layer_.weights.size();
    for (size_t i = 0; i < weights; ++i) layer_.weights[i] = static_cast<float>(x[i]);
    for (size_t i = 0; i < layer_.biases.size(); ++i) {
      layer_.biases[i] = static_cast<float>(x[weights + i]);
    }
  }

  double compute(const double* x, double* gradient) {
    set(x);
    const size_t weights = layer_.weights.size();
    const auto count = static_cast<double>(task_.ids.size());
    const double decay = strength_ / count;
    double squares = 0;
    for (size_t i = 0; i < weights; ++i) {
      squares += x[i] * x[i];
      gradient[i] = decay * x[i];
    }
    std::fill(gradient + weights, gradient + size(), 0.0);
    double loss = 0;
    for (size_t begin = 0; begin < task_.ids.size(); begin += kBatch) {
      if (between_) between_();
      const auto ids = task_.ids.subspan(begin, std::min<size_t>(kBatch, task_.ids.size() - begin));
      batch_.gather(task_.samples, ids);
      batch_.forward(layer_, count, losses_.data());
      for (size_t b = 0; b < ids.size(); ++b) loss += losses_[b];
      batch_.gradients(layer_, [&](int64_t row, const float* g, float bias_gradient) {
        double* to = gradient + row * layer_.dim;
        for (int64_t d = 0; d < layer_.dim; ++d) to[d] += g[d];
        gradient[weights + static_cast<size_t>(row)] += bias_gradient;
      });
    }
    return loss / count + decay / 2 * squares;
  }

  const ProbeTask& task_;
  double strength_;
  const BetweenSteps& between_;
  ProbeLayers layer_;
  ProbeBatch batch_;
  std::vector<double> losses_;
  std::exception_ptr error_;
};

}  // namespace

ProbeLayers train_lbfgs(const ProbeTask& task, double strength, int64_t most_iterations,
                        ThreadPool& pool, const BetweenSteps& between) {
  require(!task.ids.empty(), "no samples to train on");
  Objective objective(task, strength, pool, between);
  require(objective.size() <= static_cast<size_t>(std::numeric_limits<int>::max()), "L-BFGS over ",
          objective.size(), " weights: too many");
  const auto n = static_cast<int>(objective.size());
  lbfgs_parameter_t options;
  lbfgs_parameter_init(&options);
  options.m = 10;
  options.epsilon = 0;  // progress() says when to stop
  options.max_iterations = static_cast<int>(most_iterations);
  std::vector<double> x(objective.size());
  const int status =
      lbfgs(n, x.data(), nullptr, Objective::evaluate, Objective::progress, &objective, &options);
  // Ends of the search come from LBFGSERR_OUTOFINTERVAL on; a line search that finds no better
  // point is one of them: it has reached what fp32 products can tell apart.
  require(status >= LBFGSERR_OUTOFINTERVAL || status == LBFGSERR_CANCELED, "L-BFGS over ", n,
          " weights cannot begin: liblbfgs says ", status);
  return objective.take(x.data());
}

}  // namespace clipnext::eval

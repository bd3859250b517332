#include "eval/linear_probe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "eval/probe_solvers.h"

namespace clipnext::eval {
namespace {

constexpr int kCoarseStep = 16;
constexpr int64_t kMostTrainings = 20;  // 7 + 4 * 3, and the final one
constexpr int64_t kMostIterations = 1000;
constexpr int64_t kMostClasses = 1'000'000;

int64_t largest_label(const FeatureSet& set) {
  return *std::max_element(set.labels.begin(), set.labels.end());
}

void check_set(const FeatureSet& set, int64_t dim, const char* name) {
  const int64_t rows = check_rows(set.features, dim, name);
  require(rows == set.count(), name, ": ", rows, " rows of features, ", set.count(), " labels");
  for (const int64_t label : set.labels) {
    require(label >= 0 && label < kMostClasses, name, ": label ", label,
            " is not a class number from 0 to ", kMostClasses - 1);
  }
}

// Trains layers and judges them; remembers what it has judged.
class Prober {
 public:
  Prober(const ProbeData& data, const ProbeOptions& options, std::vector<int64_t> train_ids,
         ThreadPool& pool, const ProbeHooks& hooks)
      : data_(data),
        options_(options),
        pool_(pool),
        hooks_(hooks),
        train_ids_(std::move(train_ids)),
        classes_(1 + largest_label(data.train)),
        accuracies_(hooks.known) {}

  double best_strength() {
    if (data_.val.count() == 0) return options_.solver == ProbeSolver::kAdamW ? 0 : 1;
    const int best = search_strength([this](const std::vector<int>& indices) {
      train_missing(indices);
      std::vector<double> found;
      found.reserve(indices.size());
      for (const int index : indices) found.push_back(accuracies_.at(index));
      done_ += static_cast<int64_t>(indices.size());
      return found;
    });
    return penalty_strength(options_.solver, best);
  }

  ProbeResult measure_final(double strength) {
    const bool with_val = options_.fewshot_k < 0;
    if (with_val && data_.val.count() > 0) {
      require(largest_label(data_.val) < classes_, "validation label ", largest_label(data_.val),
              " does not occur in training, whose labels end at ", classes_ - 1);
    }
    const SamplePool samples{
        .first = data_.train, .second = with_val ? data_.val : FeatureSet(), .dim = data_.dim};
    const std::vector<int64_t> ids =
        with_val ? all_ids(data_.train.count() + data_.val.count()) : train_ids_;
    const ProbeLayers layer = train(samples, ids, {strength});
    require(layer.converged(0), "the linear probe diverged; try a lower learning rate than ",
            options_.learning_rate);
    const Accuracy counts = judge(layer, 0, data_.test);
    return {.acc1 = counts.acc1(),
            .acc5 = probe_acc5(counts, largest_label(data_.test)),
            .mean_per_class_recall = counts.mean_per_class_recall,
            .strength = strength,
            .counts = counts};
  }

 private:
  Accuracy judge(const ProbeLayers& layers, int64_t i, const FeatureSet& set) {
    return count_right(guess(set.features, layers.layer(i), set.labels, pool_), set.labels);
  }

  ProbeLayers train(const SamplePool& samples, std::span<const int64_t> ids,
                    const std::vector<double>& strengths) {
    const ProbeTask task{.samples = samples, .ids = ids, .classes = classes_};
    const BetweenSteps between = [this] {
      if (hooks_.progress) hooks_.progress(done_, data_.val.count() > 0 ? kMostTrainings : 1);
    };
    if (options_.solver == ProbeSolver::kLbfgs) {
      return train_lbfgs(task, strengths.at(0), kMostIterations, pool_, between);
    }
    return train_adamw(task, strengths,
                       {.learning_rate = options_.learning_rate,
                        .epochs = options_.epochs,
                        .batch_size = options_.batch_size,
                        .seed = options_.seed},
                       pool_, between);
  }

  // As many layers at once as the solver can do and a gigabyte of weights and moments has room for.
  size_t side_by_side() const {
    if (options_.solver == ProbeSolver::kLbfgs) return 1;
    constexpr int64_t kMostFloats = int64_t{1} << 28;
    return static_cast<size_t>(std::clamp<int64_t>(kMostFloats / (3 * classes_ * data_.dim), 1, 7));
  }

  void train_missing(const std::vector<int>& indices) {
    std::vector<int> missing;
    for (const int index : indices) {
      if (accuracies_.count(index) == 0 &&
          std::find(missing.begin(), missing.end(), index) == missing.end()) {
        missing.push_back(index);
      }
    }
    const SamplePool samples{.first = data_.train, .second = {}, .dim = data_.dim};
    for (size_t begin = 0; begin < missing.size(); begin += side_by_side()) {
      const size_t end = std::min(missing.size(), begin + side_by_side());
      std::vector<double> strengths;
      strengths.reserve(end - begin);
      for (size_t i = begin; i < end; ++i) {
        strengths.push_back(penalty_strength(options_.solver, missing[i]));
      }
      const ProbeLayers layers = train(samples, train_ids_, strengths);
      for (size_t i = begin; i < end; ++i) {
        const auto layer = static_cast<int64_t>(i - begin);
        // A decay so strong that the steps overshoot is no candidate.
        const double accuracy =
            layers.converged(layer) ? judge(layers, layer, data_.val).acc1() : 0;
        accuracies_[missing[i]] = accuracy;
        if (hooks_.trained) hooks_.trained(missing[i], accuracy);
      }
    }
  }

  const ProbeData& data_;
  const ProbeOptions& options_;
  ThreadPool& pool_;
  const ProbeHooks& hooks_;
  std::vector<int64_t> train_ids_;
  int64_t classes_;
  std::map<int, double> accuracies_;
  int64_t done_ = 0;
};

}  // namespace

double penalty_strength(ProbeSolver solver, int index) {
  const double decades = solver == ProbeSolver::kAdamW ? 8 : 12;
  return std::pow(10.0, -6 + index * (decades / (kStrengths - 1)));
}

int search_strength(const StrengthAccuracies& accuracies) {
  const auto best_of = [&](const std::vector<int>& indices) {
    const std::vector<double> found = accuracies(indices);
    int best = 0;
    double most = 0;
    for (size_t i = 0; i < indices.size(); ++i) {
      if (found[i] > most) best = indices[i], most = found[i];
    }
    return best;
  };
  std::vector<int> coarse;
  for (int i = 0; i < kStrengths; i += kCoarseStep) coarse.push_back(i);
  int peak = best_of(coarse);
  for (int span = kCoarseStep / 2; span > 0; span /= 2) {
    peak = best_of({std::max(peak - span, 0), peak, std::min(peak + span, kStrengths - 1)});
  }
  return peak;
}

ProbeOutcome linear_probe(const ProbeData& data, const ProbeOptions& options, ThreadPool& pool,
                          const ProbeHooks& hooks) {
  check_set(data.train, data.dim, "training features");
  check_set(data.val, data.dim, "validation features");
  check_set(data.test, data.dim, "test features");
  require(data.train.count() > 0 && data.test.count() > 0,
          "a linear probe needs training and test samples");
  FewShot few = pick_few(data.train.labels, options.fewshot_k, options.seed);
  if (!few.ids) return {.result = std::nullopt, .shortage = few.shortage};
  Prober prober(data, options, *std::move(few.ids), pool, hooks);
  return {.result = prober.measure_final(prober.best_strength()), .shortage = {}};
}

}  // namespace clipnext::eval

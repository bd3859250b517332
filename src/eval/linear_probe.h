// Linear probe: how well one linear layer over the features of a frozen model tells the classes of
// a data set apart (spec: evaluation, linear probe; CLIP_benchmark's procedure).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "eval/metrics.h"
#include "eval/probe_data.h"

namespace clipnext::eval {

/// AdamW as the reference, or L-BFGS as the CLIP paper (arXiv:2103.00020, A.3).
enum class ProbeSolver : uint8_t { kAdamW, kLbfgs };

/// Features of each split, unit length or not as the caller has decided. Without samples in `val`
/// there is no search for the strength of the penalty.
struct ProbeData {
  FeatureSet train, val, test;
  int64_t dim = 0;
};

struct ProbeOptions {
  ProbeSolver solver = ProbeSolver::kAdamW;
  double learning_rate = 0.1;  // kAdamW, as the next two
  int64_t epochs = 10;
  int64_t batch_size = 64;
  int64_t fewshot_k = -1;  // training samples of each class; negative: all
  uint64_t seed = 0;
};

/// The strengths that are searched: AdamW's weight decay 10^(-6 + 8 i / 96), L-BFGS's
/// 10^(-6 + 12 i / 96), i = 0 .. 96.
inline constexpr int kStrengths = 97;
double penalty_strength(ProbeSolver solver, int index);

/// Accuracies on the validation set, in the order of the indices asked for.
using StrengthAccuracies = std::function<std::vector<double>(const std::vector<int>& indices)>;

/// Indices 0, 16 .. 96, then the best and its neighbours 8, 4, 2 and 1 away, cut to 0 .. 96: calls
/// with 7, 3, 3, 3 and 3 indices, which may repeat. The first of the best is taken each time; 0 if
/// none is above zero.
int search_strength(const StrengthAccuracies& accuracies);

/// What a caller may want of a probe while it runs; each may be left out.
struct ProbeHooks {
  /// Called between steps, on the calling thread, with the trainings finished and how many there
  /// are at most. What it throws ends the probe.
  std::function<void(int64_t done, int64_t total)> progress;
  /// Accuracies by index that an interrupted search of the same data and options left behind.
  std::map<int, double> known;
  /// Hears of each accuracy that the search has found.
  std::function<void(int index, double accuracy)> trained;
};

struct ProbeResult {
  double acc1 = 0;
  double acc5 = 0;  // NaN unless a test label is at least 5
  double mean_per_class_recall = 0;
  double strength = 0;  // weight decay, or L-BFGS's penalty
  Accuracy counts;
};

/// A few-shot probe of a class with too few samples has no result, but a reason.
struct ProbeOutcome {
  std::optional<ProbeResult> result;
  std::string shortage;
};

/// Searches the strength on the validation set, if there is one, trains on train and val together
/// (on the few-shot subset of train alone for fewshot_k > 0) and measures on test. Classes are
/// 0 .. the largest label of train; a larger one is never right in val or test. Without a
/// validation set the strength is 0 for AdamW and 1 for L-BFGS. The same seed gives the same bits
/// on every number of threads. Throws Error if sizes do not fit, a number is not finite, a label is
/// no class or the final training diverges.
ProbeOutcome linear_probe(const ProbeData& data, const ProbeOptions& options, ThreadPool& pool,
                          const ProbeHooks& hooks = {});

}  // namespace clipnext::eval

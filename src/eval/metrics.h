// What is counted once pictures and classes are vectors (spec: evaluation, classification
// metrics). Equal scores go to the lower index everywhere.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "eval/products.h"

namespace clipnext::eval {

inline constexpr int64_t kMostGuesses = 5;

/// The rank of what is not among the candidates.
inline constexpr int64_t kNoRank = std::numeric_limits<int64_t>::max();

/// The best classes of each of n samples.
struct Guesses {
  int64_t k = 0;               // kMostGuesses, or the number of classes if that is less
  std::vector<int64_t> ids;    // [n, k], best first
  std::vector<float> scores;   // [n, k]
  std::vector<int64_t> ranks;  // of the label among all classes, 0 for the best; empty without
};

/// Scores features [n, dim] against every class, a tile at a time: the scores are not kept. Labels
/// [n], or none; one that is no class (a linear probe may be asked for what it was never shown) has
/// kNoRank. Throws Error as all_scores does, and for a negative label.
Guesses guess(std::span<const float> features, const LinearClasses& classes,
              std::span<const int64_t> labels, ThreadPool& pool);

struct Accuracy {
  int64_t images = 0;
  int64_t top1 = 0;                  // images whose label was the first guess
  int64_t top5 = 0;                  // ... among the first five
  double mean_per_class_recall = 0;  // over the classes that occur among the labels

  double acc1() const { return static_cast<double>(top1) / static_cast<double>(images); }
  double acc5() const { return static_cast<double>(top5) / static_cast<double>(images); }
};

/// Throws Error if there are no labels, or not one for each guess.
Accuracy count_right(const Guesses& guesses, std::span<const int64_t> labels);

/// acc5 as the reference reports it: NaN for fewer than five classes.
double zero_shot_acc5(const Accuracy& accuracy, int64_t classes);

/// acc5 as the reference reports it for the linear probe: NaN unless the largest test label is at
/// least 5, so for exactly five classes too.
double probe_acc5(const Accuracy& accuracy, int64_t largest_label);

/// Average precision of each class from scores and positives (0 or 1) [n, classes]: the mean over
/// the positives, by falling score, of the share of positives up to there; 0 for a class without
/// any. Precisions are fp32, as the reference's.
std::vector<float> average_precisions(std::span<const float> scores,
                                      std::span<const uint8_t> positives, int64_t classes,
                                      ThreadPool& pool);

/// Mean over all classes, in fp32.
double mean_average_precision(std::span<const float> precisions);

/// hits / count in fp32, as the reference's means of flags are.
double fp32_share(int64_t hits, int64_t count);

struct Interval {
  double low = 0;
  double high = 1;
};

/// 95 % interval of a share of `hits` in `trials` (Wilson, JASA 22 (1927) 209). [0, 1] for none.
Interval wilson_interval(int64_t hits, int64_t trials);

}  // namespace clipnext::eval

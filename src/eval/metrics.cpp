#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"

namespace clipnext::eval {
namespace {

// The k best of a row of scores, in falling order.
void best_of(std::span<const float> row, int64_t k, int64_t* ids, float* scores) {
  int64_t kept = 0;
  const auto count = static_cast<int64_t>(row.size());
  for (int64_t j = 0; j < count; ++j) {
    const float score = row[static_cast<size_t>(j)];
    if (kept == k && !(score > scores[k - 1])) continue;
    int64_t at = kept < k ? kept++ : k - 1;
    for (; at > 0 && score > scores[at - 1]; --at) {
      scores[at] = scores[at - 1];
      ids[at] = ids[at - 1];
    }
    scores[at] = score;
    ids[at] = j;
  }
}

int64_t rank_of(std::span<const float> row, int64_t label) {
  const auto count = static_cast<int64_t>(row.size());
  if (label >= count) return kNoRank;
  const auto own = row.begin() + label;
  return std::count_if(row.begin(), own, [&](float s) { return s >= *own; }) +
         std::count_if(own + 1, row.end(), [&](float s) { return s > *own; });
}

// Rows of a tile whose scores stay in the second-level cache.
int64_t tile_rows(int64_t classes) { return std::clamp<int64_t>(65536 / classes, 4, 64); }

}  // namespace

Guesses guess(std::span<const float> features, const LinearClasses& classes,
              std::span<const int64_t> labels, ThreadPool& pool) {
  const int64_t n = check_products(features, classes);
  const int64_t count = classes.count();
  require(labels.empty() || static_cast<int64_t>(labels.size()) == n, "labels: ", labels.size(),
          ", expected one for each of ", n, " samples");
  require(std::none_of(labels.begin(), labels.end(), [](int64_t label) { return label < 0; }),
          "labels: expected none below 0");
  Guesses guesses;
  guesses.k = std::min(kMostGuesses, count);
  guesses.ids.resize(static_cast<size_t>(n * guesses.k));
  guesses.scores.resize(static_cast<size_t>(n * guesses.k));
  guesses.ranks.resize(labels.size());
  const PackedRows packed(classes.weights.data(), count, classes.dim, pool);
  const float* bias = classes.bias.empty() ? nullptr : classes.bias.data();
  const int64_t rows = tile_rows(count);
  ScratchPool scratch;
  pool.parallel_for((n + rows - 1) / rows, [&](int64_t tile) {
    const int64_t begin = tile * rows, end = std::min(n, begin + rows);
    ScratchPool::Lease scores(scratch, rows * count);
    packed.multiply(features.data() + begin * classes.dim, end - begin, 0, count, bias,
                    scores.data(), count);
    for (int64_t i = begin; i < end; ++i) {
      const std::span<const float> row(scores.data() + (i - begin) * count,
                                       static_cast<size_t>(count));
      const auto at = static_cast<size_t>(i);
      require(std::all_of(row.begin(), row.end(), [](float s) { return std::isfinite(s); }),
              "features: the scores of row ", i, " overflow");
      best_of(row, guesses.k, guesses.ids.data() + i * guesses.k,
              guesses.scores.data() + i * guesses.k);
      if (!labels.empty()) guesses.ranks[at] = rank_of(row, labels[at]);
    }
  });
  return guesses;
}

Accuracy count_right(const Guesses& guesses, std::span<const int64_t> labels) {
  require(!labels.empty() && labels.size() == guesses.ranks.size(), "labels: ", labels.size(),
          ", guesses with a rank: ", guesses.ranks.size(), "; expected as many, and some");
  struct PerClass {
    int64_t images = 0, right = 0;
  };
  std::map<int64_t, PerClass> classes;
  Accuracy accuracy;
  accuracy.images = static_cast<int64_t>(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    PerClass& c = classes[labels[i]];
    const int64_t right = guesses.ranks[i] < 1 ? 1 : 0;
    ++c.images;
    c.right += right;
    accuracy.top1 += right;
    accuracy.top5 += guesses.ranks[i] < kMostGuesses ? 1 : 0;
  }
  double recalls = 0;
  for (const auto& [label, c] : classes) {
    recalls += static_cast<double>(c.right) / static_cast<double>(c.images);
  }
  accuracy.mean_per_class_recall = recalls / static_cast<double>(classes.size());
  return accuracy;
}

double zero_shot_acc5(const Accuracy& accuracy, int64_t classes) {
  return classes >= 5 ? accuracy.acc5() : std::numeric_limits<double>::quiet_NaN();
}

double probe_acc5(const Accuracy& accuracy, int64_t largest_label) {
  return largest_label >= 5 ? accuracy.acc5() : std::numeric_limits<double>::quiet_NaN();
}

std::vector<float> average_precisions(std::span<const float> scores,
                                      std::span<const uint8_t> positives, int64_t classes,
                                      ThreadPool& pool) {
  const int64_t n = check_rows(scores, classes, "scores");
  require(positives.size() == scores.size(), "positives: ", positives.size(), ", expected ",
          scores.size(), ", one for each score");
  require(std::all_of(positives.begin(), positives.end(), [](uint8_t p) { return p <= 1; }),
          "positives: expected 0 or 1");
  std::vector<float> precisions(static_cast<size_t>(classes));
  pool.parallel_for(classes, [&](int64_t c) {
    std::vector<size_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), size_t{0});
    const auto at = [&](size_t i) {
      return i * static_cast<size_t>(classes) + static_cast<size_t>(c);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return scores[at(a)] > scores[at(b)]; });
    int64_t found = 0;
    double sum = 0;
    for (size_t rank = 0; rank < order.size(); ++rank) {
      if (positives[at(order[rank])] == 0) continue;
      ++found;
      sum += static_cast<float>(found) / static_cast<float>(rank + 1);
    }
    precisions[static_cast<size_t>(c)] =
        static_cast<float>(sum) / static_cast<float>(std::max<int64_t>(found, 1));
  });
  return precisions;
}

double mean_average_precision(std::span<const float> precisions) {
  require(!precisions.empty(), "no classes to average the precision of");
  const double sum = std::accumulate(precisions.begin(), precisions.end(), 0.0);
  return static_cast<float>(sum / static_cast<double>(precisions.size()));
}

double fp32_share(int64_t hits, int64_t count) {
  require(count > 0, "nothing to take a share of");
  return static_cast<float>(hits) / static_cast<float>(count);
}

Interval wilson_interval(int64_t hits, int64_t trials) {
  if (trials <= 0) return {};
  constexpr double kZ = 1.959963984540054;  // 97.5 % point of the normal distribution
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(hits) / n;
  const double scale = 1 / (1 + kZ * kZ / n);
  const double centre = scale * (p + kZ * kZ / (2 * n));
  const double half = scale * kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace clipnext::eval

#include "eval/prediction_stats.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace clipnext::eval {
namespace {

constexpr size_t kBins = 15;

void count_bins(const Predictions& predictions, PredictionStats& stats) {
  stats.bins.resize(kBins);
  for (const PredictedImage& image : predictions.images) {
    const auto at = static_cast<size_t>(image.probability * static_cast<double>(kBins));
    page::Bin& bin = stats.bins[std::min(at, kBins - 1)];
    ++bin.images;
    bin.confidence += image.probability;
    bin.accuracy += is_right(image) ? 1 : 0;
  }
  for (page::Bin& bin : stats.bins) {
    if (bin.images == 0) continue;
    const auto n = static_cast<double>(bin.images);
    stats.calibration_error +=
        std::abs(bin.confidence - bin.accuracy) / static_cast<double>(predictions.images.size());
    bin.confidence /= n;
    bin.accuracy /= n;
  }
}

}  // namespace

bool is_right(const PredictedImage& image) {
  if (image.label >= 0) return image.top.front() == image.label;
  return std::find(image.positives.begin(), image.positives.end(), image.top.front()) !=
         image.positives.end();
}

PredictionStats prediction_stats(const Predictions& predictions, size_t most_confusions,
                                 size_t most_hardest) {
  const auto& images = predictions.images;
  std::vector<size_t> surest(images.size());
  std::iota(surest.begin(), surest.end(), size_t{0});
  std::stable_sort(surest.begin(), surest.end(), [&](size_t a, size_t b) {
    return images[a].probability > images[b].probability;
  });

  PredictionStats stats;
  std::map<int64_t, ClassAccuracy> classes;
  std::map<std::pair<int64_t, int64_t>, Confusion> pairs;
  for (const size_t i : surest) {
    const PredictedImage& image = images[i];
    const bool right = is_right(image);
    stats.right += right ? 1 : 0;
    if (!right && stats.hardest.size() < most_hardest) stats.hardest.push_back(i);
    if (image.label < 0) continue;
    ClassAccuracy& own = classes[image.label];
    own.label = image.label;
    ++own.images;
    own.right += right ? 1 : 0;
    if (right) continue;
    Confusion& pair = pairs[{image.label, image.top.front()}];
    pair.label = image.label;
    pair.guess = image.top.front();
    pair.images.push_back(i);
  }
  for (const auto& [label, one] : classes) stats.classes.push_back(one);
  std::stable_sort(stats.classes.begin(), stats.classes.end(),
                   [](const ClassAccuracy& a, const ClassAccuracy& b) {
                     return static_cast<double>(a.right) / static_cast<double>(a.images) <
                            static_cast<double>(b.right) / static_cast<double>(b.images);
                   });
  for (auto& [labels, one] : pairs) stats.confusions.push_back(std::move(one));
  std::stable_sort(
      stats.confusions.begin(), stats.confusions.end(),
      [](const Confusion& a, const Confusion& b) { return a.images.size() > b.images.size(); });
  if (stats.confusions.size() > most_confusions) stats.confusions.resize(most_confusions);
  count_bins(predictions, stats);
  return stats;
}

}  // namespace clipnext::eval

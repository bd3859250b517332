#include "train/validation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"

namespace clipnext::train {
namespace {

/// Ranks counted one by one, equal scores in the order of their indices.
std::map<std::string, double> plain(const at::Tensor& image, const at::Tensor& text) {
  std::map<std::string, double> metrics;
  const auto add = [&](const std::string& name, const at::Tensor& scores) {
    const int64_t n = scores.size(0);
    std::vector<double> ranks;
    for (int64_t i = 0; i < n; ++i) {
      int64_t before = 0;
      for (int64_t j = 0; j < n; ++j) {
        const auto own = scores[i][i].item<float>(), other = scores[i][j].item<float>();
        before += other > own || (other == own && j < i) ? 1 : 0;
      }
      ranks.push_back(static_cast<double>(before));
    }
    double sum = 0;
    for (const double rank : ranks) sum += rank;
    metrics[name + "_mean_rank"] = sum / static_cast<double>(n) + 1;
    for (const int k : {1, 5, 10}) {
      double hits = 0;
      for (const double rank : ranks) hits += rank < k ? 1 : 0;
      metrics[name + "_R@" + std::to_string(k)] = hits / static_cast<double>(n);
    }
    std::sort(ranks.begin(), ranks.end());
    const auto m = static_cast<size_t>(n);
    metrics[name + "_median_rank"] = std::floor((ranks[(m - 1) / 2] + ranks[m / 2]) / 2) + 1;
  };
  add("image_to_text", image.matmul(text.t()));
  add("text_to_image", text.matmul(image.t()));
  return metrics;
}

// Spec: training.md section 10, item 12.
TEST(Retrieval, CountsAsOneByOneWithTiesWhateverTheTile) {
  // Small integers: many scores are equal, and every product is exact.
  RandomStream random(3);
  const int64_t n = 23, d = 3;
  at::Tensor image = at::empty({n, d}), text = at::empty({n, d});
  for (int64_t i = 0; i < n * d; ++i) {
    image.data_ptr<float>()[i] = static_cast<float>(random.below(3));
    text.data_ptr<float>()[i] = static_cast<float>(random.below(3));
  }
  const auto want = plain(image, text);
  for (const int64_t chunk : {0, 1, 5, 22, 23, 4096}) {
    for (const auto& [name, value] : retrieval_metrics(image, text, chunk)) {
      EXPECT_NEAR(value, want.at(name), 1e-12) << name << " by " << chunk;
    }
  }
}

}  // namespace
}  // namespace clipnext::train

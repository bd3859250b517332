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
std::map<std::string, double> plain(const at::Tensor& image, const at::Tensor& text,
                                    const at::Tensor& scale) {
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
  add("image_to_text", image.matmul(text.t()) * scale);
  add("text_to_image", text.matmul(image.t()) * scale);
  return metrics;
}

/// Whole numbers from `least` to below `end`.
at::Tensor whole_numbers(RandomStream& random, at::IntArrayRef shape, int64_t least, int64_t end) {
  at::Tensor numbers = at::empty(shape);
  for (int64_t i = 0; i < numbers.numel(); ++i) {
    numbers.data_ptr<float>()[i] = static_cast<float>(least + random.below(end - least));
  }
  return numbers;
}

// Spec: training.md section 10, item 12.
TEST(Retrieval, CountsAsOneByOneWithTiesWhateverTheTile) {
  // Small integers: many scores are equal, and every product is exact.
  RandomStream random(3);
  const at::Tensor image = whole_numbers(random, {23, 3}, 0, 3);
  const at::Tensor text = whole_numbers(random, {23, 3}, 0, 3);
  const at::Tensor scale = at::scalar_tensor(2);
  const auto want = plain(image, text, scale);
  for (const int64_t chunk : {0, 1, 5, 22, 23, 4096}) {
    for (const auto& [name, value] : retrieval_metrics(image, text, scale, chunk)) {
      EXPECT_NEAR(value, want.at(name), 1e-12) << name << " by " << chunk;
    }
  }
}

TEST(Retrieval, RoundsScoresToTheVectorsType) {
  // Products below 256, which bfloat16 holds; of their 1.5-folds it rounds some to the same.
  RandomStream random(3);
  const int64_t n = 61;
  const at::Tensor image = at::stack({at::ones({n}), whole_numbers(random, {n}, 0, 20)}, 1);
  const at::Tensor text = at::stack({whole_numbers(random, {n}, 170, 230), at::ones({n})}, 1);
  const at::Tensor scale = at::scalar_tensor(1.5);
  std::map<at::ScalarType, std::map<std::string, double>> want;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    want[type] = plain(image.to(type), text.to(type), scale);
    for (const auto& [name, value] : retrieval_metrics(image.to(type), text.to(type), scale, 16)) {
      EXPECT_NEAR(value, want[type].at(name), 1e-12) << name << " in " << at::toString(type);
    }
  }
  EXPECT_NE(want[at::kFloat], want[at::kBFloat16]);
}

}  // namespace
}  // namespace clipnext::train

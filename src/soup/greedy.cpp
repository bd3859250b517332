#include "soup/greedy.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace clipnext::soup {
namespace {

double finite_score(const Score& score, const std::vector<size_t>& members) {
  const double value = score(members);
  require(std::isfinite(value), "a score is ", value, ", which nothing can be ranked by");
  return value;
}

}  // namespace

GreedyResult greedy(size_t n, const Score& score, Accept accept) {
  require(n > 0, "greedy: nothing to choose from");
  std::vector<double> alone(n);
  for (size_t i = 0; i < n; ++i) alone[i] = finite_score(score, {i});
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return alone[a] > alone[b]; });

  GreedyResult result;
  for (const size_t candidate : order) {
    GreedyStep step{.candidate = candidate, .alone = alone[candidate], .score = alone[candidate]};
    std::vector<size_t> members = result.members;
    members.push_back(candidate);
    if (members.size() > 1) step.score = finite_score(score, members);
    const bool better = step.score > result.score ||
                        (accept == Accept::kGreaterOrEqual && step.score == result.score);
    step.admitted = result.members.empty() || better;
    if (step.admitted) {
      result.members = std::move(members);
      result.score = step.score;
    }
    step.soup_size = result.members.size();
    result.trace.push_back(step);
  }
  return result;
}

}  // namespace clipnext::soup

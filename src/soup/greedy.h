// Greedy soups: ingredients in the order of their scores, each kept if the average gets better with
// it (Wortsman et al., arXiv:2203.05482).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace clipnext::soup {

/// When a candidate is kept: its average scores more (as the paper's code) or at least as much (as
/// its text).
enum class Accept : unsigned char { kGreater, kGreaterOrEqual };

/// The score of the average of some ingredients, larger is better. Members are indices, in the
/// order in which they are summed.
using Score = std::function<double(std::span<const size_t> members)>;

struct GreedyStep {
  size_t candidate = 0;
  double alone = 0;  // the candidate's own score
  double score = 0;  // with those kept before it
  bool admitted = false;
  size_t soup_size = 0;  // after the step
};

struct GreedyResult {
  std::vector<GreedyStep>
      trace;                    // by own score, among equals in the order given; the first is kept
  std::vector<size_t> members;  // in the order they were kept
  double score = 0;             // of their average
};

/// One pass: each of n ingredients is scored alone, then each but the best one with those kept so
/// far: 2n - 1 scores. The average of k + 1 is always made of all of them anew, in double and
/// rounded once: what a running sum would give, at the price of reading them again, and without the
/// memory. Throws Error for a score that is not finite.
GreedyResult greedy(size_t n, const Score& score, Accept accept);

}  // namespace clipnext::soup

// Averages gradients over all ranks while the backward pass still computes others.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "train/group.h"

namespace clipnext::train {

/// Gradients are copied into buckets as they come, last parameters first, and a full bucket's sum
/// over ranks begins at once, in the same order in every rank (Li et al., arXiv:2006.15704). One
/// rank alone has nothing to do.
class GradientReducer {
 public:
  /// Parameters that require gradients, in the same order in every rank; they keep hooks to this,
  /// which must outlive their use. Buckets hold `bucket_bytes`, the first one sent `first_bytes`.
  GradientReducer(std::vector<at::Tensor> parameters, Group& group,
                  int64_t bucket_bytes = int64_t{25} << 20, int64_t first_bytes = int64_t{1} << 20);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// Before a backward pass whose gradients are to be averaged; passes before it only add up.
  void begin();
  /// After it: every gradient is the mean over ranks. A parameter that got none counts as zero.
  void finish();

 private:
  struct Bucket;
  void arrived(size_t parameter);
  void send_full_ones();

  std::vector<at::Tensor> parameters_;
  Group& group_;
  std::vector<Bucket> buckets_;
  struct Place {
    size_t bucket;
    int64_t offset;
  };
  std::vector<Place> places_;  // of each parameter
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace clipnext::train

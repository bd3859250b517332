#include "train/reducer.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "train/group_test.h"

namespace clipnext::train {
namespace {

TEST(Reducer, GivesEveryRankTheMeanGradientInSmallBucketsToo) {
  for (const int64_t bucket : {int64_t{8}, int64_t{64}, int64_t{1} << 20}) {
    with_ranks(3, [&](Group& group) {
      std::vector<at::Tensor> parameters;
      for (const int64_t size : {3, 1, 7, 20}) {
        parameters.push_back(at::ones({size}).set_requires_grad(true));
      }
      GradientReducer reducer(parameters, group, bucket, 8);
      for (int pass = 0; pass < 2; ++pass) {
        for (at::Tensor& p : parameters) p.mutable_grad() = at::Tensor();
        reducer.begin();
        at::Tensor loss = at::zeros({});
        // The third parameter takes no part in rank 1, and counts as zero there.
        for (size_t i = 0; i < parameters.size(); ++i) {
          if (i == 2 && group.rank() == 1) continue;
          loss = loss + parameters[i].sum() * static_cast<double>((i + 1) * (group.rank() + 1));
        }
        torch::autograd::backward({loss}, {});
        reducer.finish();
        for (size_t i = 0; i < parameters.size(); ++i) {
          const double ranks = i == 2 ? 1 + 3 : 1 + 2 + 3;
          EXPECT_TRUE(parameters[i].grad().allclose(
              at::full_like(parameters[i], ranks * static_cast<double>(i + 1) / 3).detach()));
        }
      }
    });
  }
}

TEST(Reducer, AddsUpUntilItIsAskedToAverage) {
  with_ranks(2, [](Group& group) {
    const at::Tensor p = at::ones({4}).set_requires_grad(true);
    GradientReducer reducer({p}, group);
    torch::autograd::backward({p.sum()}, {});  // kept here
    reducer.begin();
    torch::autograd::backward({p.sum() * static_cast<double>(group.rank())}, {});
    reducer.finish();
    EXPECT_TRUE(p.grad().allclose(at::full({4}, 1.5)));
  });
}

}  // namespace
}  // namespace clipnext::train

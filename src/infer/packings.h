// A model's parameters in several types side by side, for trying models of mixed types.
#pragma once

#include <array>
#include <vector>

#include "base/thread_pool.h"
#include "infer/pack.h"
#include "kernels/kernels.h"
#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::infer {

/// Packs a parameter when it is first asked for in a type, and keeps it.
class Packings {
 public:
  /// Config, kernels and pool must outlive this.
  Packings(const model::ClipConfig& config, model::ClipParams<weights::Tensor> tensors,
           const kernels::Kernels& kernels, ThreadPool& pool);

  /// What pack gives for `types`; it shares its memory with others that were composed.
  Params compose(const LayerTypes& types);

 private:
  struct Parameter {
    weights::Tensor source;
    std::array<Weight, 3> packed{};  // by ComputeType
  };

  const model::ClipConfig& config_;
  const kernels::Kernels& kernels_;
  ThreadPool& pool_;
  std::vector<Parameter> parameters_;  // in visiting order
};

}  // namespace clipnext::infer

// Linear layers under softmax cross-entropy: several of one shape at once, over the same batches,
// so that a batch is gathered and packed once for all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "base/workspace.h"
#include "eval/probe_data.h"
#include "eval/products.h"

namespace clipnext::eval {

/// `count` layers dim -> classes.
struct ProbeLayers {
  ProbeLayers(int64_t layers, int64_t layer_classes, int64_t layer_dim);

  int64_t count, classes, dim;
  std::vector<float> weights;  // [count * classes, dim]
  std::vector<float> biases;   // [count * classes]

  LinearClasses layer(int64_t i) const;
  /// Whether every value of layer i is a sane number: below 1e15, where scores cannot overflow.
  bool converged(int64_t i) const;
};

/// Every layer the same: weights and biases uniform in (-1/sqrt(dim), 1/sqrt(dim)), as
/// torch.nn.Linear begins; element i of the kInit stream for weight i, then the biases.
void init_layers(ProbeLayers& layers, uint64_t seed);

/// One batch: its samples as rows (for scores) and as columns (for gradients), and what came of it.
/// Sums run in an order that does not depend on the number of threads.
class ProbeBatch {
 public:
  explicit ProbeBatch(ThreadPool& pool) : pool_(pool) {}

  void gather(const SamplePool& samples, std::span<const int64_t> ids);

  /// Computes what gradients() needs: softmax(scores) less 1 at the label, over `divisor`. With
  /// `losses` [ids] also each sample's cross-entropy under the first layer.
  void forward(const ProbeLayers& layers, double divisor, double* losses = nullptr);

  /// each(row, gradient [dim], bias_gradient) for each of the layers' count * classes rows, on any
  /// thread; the layers may be changed in there, row by row.
  template <class F>
  void gradients(const ProbeLayers& layers, const F& each);

 private:
  void gather_panel(const SamplePool& samples, std::span<const int64_t> ids, int64_t begin);
  void forward_block(const ProbeLayers& layers, int64_t layer, int64_t begin, double divisor,
                     double* losses);

  static constexpr int64_t kPanel = 16;  // columns of kernels::GemmF32Fn's packed panels

  ThreadPool& pool_;
  ScratchPool scratch_;
  int64_t count_ = 0, dim_ = 0;
  std::vector<int64_t> labels_;
  Buffer rows_;     // the batch [count, dim] packed
  Buffer columns_;  // its transpose [dim, count] packed
  Buffer errors_;   // [layers * classes, count]
};

template <class F>
void ProbeBatch::gradients(const ProbeLayers& layers, const F& each) {
  const int64_t rows = layers.count * layers.classes;
  const int64_t tile = rows >= 256 ? 32 : 8;
  pool_.parallel_for((rows + tile - 1) / tile, [&](int64_t t) {
    const int64_t begin = t * tile, end = std::min(rows, begin + tile);
    ScratchPool::Lease gradient(scratch_, tile * dim_);
    kernels::kernels().gemm_f32(errors_.data() + begin * count_, count_, columns_.data(),
                                end - begin, dim_, count_, {}, gradient.data(), dim_);
    for (int64_t row = begin; row < end; ++row) {
      const float* errors = errors_.data() + row * count_;
      double bias = 0;
      for (int64_t b = 0; b < count_; ++b) bias += errors[b];
      each(row, gradient.data() + (row - begin) * dim_, static_cast<float>(bias));
    }
  });
}

}  // namespace clipnext::eval

// The towers again, in double throughout, one input at a time, written as the formulas read: what
// the fast ones are judged by. Batch norms are applied and not folded, convolutions gather patches
// in the order their weights are stored, nothing is fused.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::infer {

class Reference {
 public:
  /// The tensors must fit the config (model::bind_tensors); the pool must outlive this.
  Reference(const model::ClipConfig& config, const weights::TensorMap& tensors, ThreadPool& pool,
            const std::string& source = "checkpoint");

  /// Features, not normalised, of RGB8 pixels [h, w, 3].
  std::vector<double> embed_image(const uint8_t* pixels, int64_t h, int64_t w) const;
  /// Features, not normalised, pooled at the last of these ids.
  std::vector<double> embed_text(std::span<const int32_t> ids) const;

 private:
  model::ClipConfig config_;
  model::ClipParams<weights::Tensor> params_;
  ThreadPool& pool_;
};

}  // namespace clipnext::infer

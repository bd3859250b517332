// A CLIP model ready to compute on the CPU.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "infer/engine.h"
#include "infer/identity.h"
#include "infer/image_tower.h"
#include "infer/text.h"
#include "kernels/kernels.h"
#include "model/embedder.h"
#include "model/source.h"
#include "weights/tensor.h"

namespace clipnext::infer {

/// Both towers with packed weights. An embedding depends on its input alone: not on the batch, its
/// neighbours or the number of threads, bit for bit on one instruction set. Thread-safe: calls run
/// one after another, each on all of the pool.
class Clip final : public model::Embedder {
 public:
  /// Takes packed parameters over. The pool must outlive this.
  Clip(const model::ClipConfig& config, Params params, ThreadPool& pool,
       const kernels::Kernels& kernels = kernels::kernels());
  /// Packs the tensors (which must fit the config: model::bind_tensors) for `kernels`, in the types
  /// that choose_types has for `type`. `source` stands in messages.
  Clip(const model::ClipConfig& config, const weights::TensorMap& tensors, ThreadPool& pool,
       const std::string& source = "checkpoint", ComputeType type = ComputeType::kFp32,
       const kernels::Kernels& kernels = kernels::kernels());

  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override { return logit_scale_; }
  float logit_bias() const override { return logit_bias_; }
  void embed_images(const model::PixelBatch& pixels, float* out, bool normalize = true) override;
  void embed_texts(const model::TokenRows& tokens, float* out, bool normalize = true) override;
  std::string image_identity() override;
  std::string text_identity() override;
  /// The narrowest type that any of its products is computed in.
  ComputeType type() const { return type_; }

  /// The tower as in embed_images, showing intermediate results. A batch is not divided, so keep
  /// it small.
  void trace_images(const model::PixelBatch& pixels, float* out, const Trace& trace);
  /// The tower as in embed_texts over whole rows: the last position of each is pooled, so give rows
  /// cut after their end-of-text token for its features.
  void trace_texts(std::span<const std::span<const int32_t>> rows, float* out, const Trace& trace);

 private:
  /// Refuses vectors [n, embed_dim] with NaN or infinities; makes them unit length if asked.
  void finish(float* out, int64_t n, bool normalize) const;

  model::ClipConfig config_;
  std::mutex mutex_;
  Engine engine_;
  WeightList image_weights_, text_weights_;
  std::unique_ptr<ImageTower> image_;
  std::unique_ptr<TextTower> text_;
  float logit_scale_ = 1.0f;
  float logit_bias_ = 0.0f;
  ComputeType type_ = ComputeType::kFp32;
  std::vector<std::span<const int32_t>> rows_;
};

/// The type that load_clip computes in, Clip::type() of what it gives: fp32 unless given.
ComputeType load_type(const model::Model& model, std::optional<ComputeType> type);

/// The Clip of a model found by model::open_model, computing in load_type.
std::unique_ptr<Clip> load_clip(const model::Model& model, ThreadPool& pool,
                                std::optional<ComputeType> type = std::nullopt);

}  // namespace clipnext::infer

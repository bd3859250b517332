// Weights in training as a model that evaluation takes.
#pragma once

#include <mutex>
#include <optional>

#include "model/embedder.h"
#include "train/clip.h"

namespace clipnext::train {

/// Both towers over parameters that stay where they are: what training changes, the next call sees.
/// Any device. Thread-safe among its own calls.
class Clip final : public model::Embedder {
 public:
  /// `params` must outlive this. autocast: the type that towers compute in, as in training.
  Clip(const model::ClipConfig& config, const Params& params,
       std::optional<at::ScalarType> autocast = std::nullopt);

  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override;
  float logit_bias() const override;
  void embed_images(const model::PixelBatch& pixels, float* out, bool normalize = true) override;
  void embed_texts(const model::TokenRows& tokens, float* out, bool normalize = true) override;

 private:
  void finish(const at::Tensor& features, float* out, bool normalize) const;

  model::ClipConfig config_;
  const Params& params_;
  Mode mode_;
  at::Tensor mean_, std_;  // [3] on the parameters' device
  std::mutex mutex_;
};

}  // namespace clipnext::train

// Weights in libtorch's tensors as a model that evaluation and the commands take.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "model/embedder.h"
#include "train/clip.h"

namespace clipnext::train {

/// Both towers, on the parameters' device, which may be any. Vectors come back in main memory, so a
/// call ends when they are computed. Thread-safe among its own calls.
class Clip final : public model::Embedder {
 public:
  /// autocast: the type that towers compute in, as in training; what follows them is float32.
  Clip(const model::ClipConfig& config, std::shared_ptr<const Params> params,
       std::optional<at::ScalarType> autocast = std::nullopt);
  /// Over parameters that stay where they are and must outlive this: what training changes, the
  /// next call sees.
  Clip(const model::ClipConfig& config, const Params& params,
       std::optional<at::ScalarType> autocast = std::nullopt);

  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override;
  float logit_bias() const override;
  void embed_images(const model::PixelBatch& pixels, float* out, bool normalize = true) override;
  void embed_texts(const model::TokenRows& tokens, float* out, bool normalize = true) override;
  std::string image_identity() override;
  std::string text_identity() override;
  int64_t batch_factor() const override;

 private:
  at::Device device() const { return mean_.device(); }
  void embed_group(const model::PixelBatch& pixels, float* out, bool normalize) const;
  void finish(const at::Tensor& features, float* out, bool normalize) const;
  std::string identity(std::span<const float> probe) const;

  model::ClipConfig config_;
  std::shared_ptr<const Params> params_;
  Mode mode_;
  at::Tensor mean_, std_;  // [3] on the parameters' device
  std::mutex mutex_;
};

}  // namespace clipnext::train

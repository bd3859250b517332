// OpenAI's ModifiedResNet with attention pooling.
#pragma once

#include <string>
#include <vector>

#include "infer/image_tower.h"
#include "infer/patches.h"

namespace clipnext::infer {

/// Takes pictures of the config's size only: the pooling's positions are learned.
class ResNetTower : public ImageTower {
 public:
  ResNetTower(const model::ClipConfig& config, model::ResNetParams<Weight> params);

  void embed(Engine& engine, const model::PixelBatch& batch, float* out,
             const Trace& trace) override;

 private:
  using Conv = model::ConvNorm<Weight>;  // its batch norm folded in

  /// A batch of maps [n, h, w, c] in x_.
  struct Map {
    int64_t n, h, w, c;
    int64_t rows() const { return n * h * w; }
    weights::Shape shape() const { return {n, h, w, c}; }
  };

  void embed_group(Engine& engine, const model::PixelBatch& batch, float* out, const Trace& trace);
  Map stem(Engine& engine, const model::PixelBatch& batch, const Trace& trace);
  Map block(Engine& engine, const Map& in, int64_t stride, const model::Bottleneck<Weight>& p,
            const std::string& at, const Trace& trace);
  void attention_pool(Engine& engine, const Map& map, float* out, const Trace& trace);

  model::ResNetConfig config_;
  int64_t height_, width_, embed_dim_;
  PixelTable table_;
  model::ResNetParams<Weight> params_;
  std::vector<float> positions_;  // [tokens, 32 * width]
  Buffer x_, y_, z_, shortcut_;   // the block's input, and what is computed beside it
};

}  // namespace clipnext::infer

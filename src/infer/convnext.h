// ConvNeXt image tower: timm's trunk and open_clip's adapter head.
#pragma once

#include <string>

#include "infer/image_tower.h"
#include "infer/patches.h"

namespace clipnext::infer {

/// Takes pictures of any size from 32 x 32 up; every reduction floors.
class ConvNextTower : public ImageTower {
 public:
  ConvNextTower(const model::ClipConfig& config, model::ConvNextParams<Weight> params);

  void embed(Engine& engine, const model::PixelBatch& batch, float* out,
             const Trace& trace) override;

 private:
  /// A batch of maps [n, h, w, c] in x_.
  struct Map {
    int64_t n, h, w, c;
    int64_t rows() const { return n * h * w; }
    weights::Shape shape() const { return {n, h, w, c}; }
  };

  void embed_group(Engine& engine, const model::PixelBatch& batch, float* out, const Trace& trace);
  Map stem(Engine& engine, const model::PixelBatch& batch, const Trace& trace);
  Map downsample(Engine& engine, const Map& in, const model::ConvNextStage<Weight>& stage,
                 const std::string& at, const Trace& trace);
  void block(Engine& engine, const Map& map, const model::ConvNextBlock<Weight>& p,
             const std::string& at, const Trace& trace);
  void head(Engine& engine, const Map& map, float* out, const Trace& trace);

  model::ConvNextConfig config_;
  int64_t embed_dim_;
  PixelTable table_;
  model::ConvNextParams<Weight> params_;
  Buffer x_, y_;  // the residual stream, and what is computed beside it
};

}  // namespace clipnext::infer

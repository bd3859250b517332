// open_clip's VisionTransformer.
#pragma once

#include <vector>

#include "infer/image_tower.h"
#include "infer/patches.h"
#include "infer/transformer.h"

namespace clipnext::infer {

/// Takes pictures of the config's size only: its positions are learned.
class VitTower : public ImageTower {
 public:
  VitTower(const model::ClipConfig& config, model::VitParams<Weight> params);

  void embed(Engine& engine, const model::PixelBatch& batch, float* out,
             const Trace& trace) override;

 private:
  void embed_group(Engine& engine, const model::PixelBatch& batch, float* out, const Trace& trace);
  void embed_patches(Engine& engine, const model::PixelBatch& batch);

  model::VitConfig config_;
  int64_t height_, width_, embed_dim_;
  PixelTable table_;
  model::VitParams<Weight> params_;
  Transformer transformer_;
  std::vector<float> class_token_;  // [width], its position added
  std::vector<float> positions_;    // [grid, width]
  Buffer x_, patches_;
  std::vector<Sequence> sequences_;
};

}  // namespace clipnext::infer

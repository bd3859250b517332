// The kinds of image tower behind one call.
#pragma once

#include <memory>

#include "infer/engine.h"
#include "infer/pack.h"
#include "model/embedder.h"

namespace clipnext::infer {

class ImageTower {
 public:
  virtual ~ImageTower() = default;
  /// Features of a batch, not normalised: out [n, embed_dim]. Throws Error for a size that the
  /// tower cannot take.
  virtual void embed(Engine& engine, const model::PixelBatch& batch, float* out,
                     const Trace& trace) = 0;
};

/// The tower that config.vision describes; takes its parameters over.
std::unique_ptr<ImageTower> make_image_tower(const model::ClipConfig& config, Params& params);

}  // namespace clipnext::infer

#include "infer/vit.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "image/preprocess.h"

namespace clipnext::infer {
namespace {

constexpr int64_t kGroupFloats = int64_t{8} << 20;  // of the hidden layer, to bound memory

}  // namespace

VitTower::VitTower(const model::ClipConfig& config, model::VitParams<Weight> params)
    : config_(std::get<model::VitConfig>(config.vision)),
      height_(config.image_height),
      width_(config.image_width),
      embed_dim_(config.embed_dim),
      table_(image::normalization_table(config.preprocess)),
      params_(std::move(params)),
      transformer_({.width = config_.width,
                    .heads = config_.heads,
                    .mlp_width = config_.mlp_width,
                    .activation = config_.activation,
                    .causal = false,
                    .pooled = Queries::kFirst,
                    .name = "visual."},
                   params_.blocks),
      class_token_(weights::to_f32(params_.class_embedding.table)) {
  const std::vector<float> positions = weights::to_f32(params_.positional_embedding.table);
  for (size_t i = 0; i < class_token_.size(); ++i) class_token_[i] += positions[i];
  positions_.assign(positions.begin() + config_.width, positions.end());
}

void VitTower::embed(Engine& engine, const model::PixelBatch& batch, float* out,
                     const Trace& trace) {
  require(batch.h == height_ && batch.w == width_, "picture of ", batch.w, "x", batch.h,
          ": this ViT takes ", width_, "x", height_, " only");
  const int64_t tokens = static_cast<int64_t>(positions_.size()) / config_.width + 1;
  const int64_t group =
      trace ? batch.n : std::max<int64_t>(1, kGroupFloats / (tokens * config_.mlp_width));
  for (int64_t i = 0; i < batch.n; i += group) {
    const model::PixelBatch part{batch.pixels + i * batch.h * batch.w * 3,
                                 std::min(group, batch.n - i), batch.h, batch.w};
    embed_group(engine, part, out + i * embed_dim_, trace);
  }
}

/// Class token and patch tokens, with their positions, into x_ [n, tokens, width].
void VitTower::embed_patches(Engine& engine, const model::PixelBatch& batch) {
  const int64_t w = config_.width;
  const Window window{config_.patch, config_.patch, 0};
  const int64_t grid = window.outputs(batch.h) * window.outputs(batch.w);
  const int64_t tokens = grid + 1;
  const int64_t k = params_.conv1_weight.k;
  float* patches = patches_.ensure(batch.n * grid * k);
  const Pieces pieces{batch.n * grid, engine.pool.size() * int64_t{4}};
  engine.pool.parallel_for(pieces.parts, [&](int64_t i) {
    gather_pixels(batch, table_, window, pieces.begin(i), pieces.end(i),
                  patches + pieces.begin(i) * k);
  });
  for (int64_t i = 0; i < batch.n; ++i) {
    float* x = x_.data() + i * tokens * w;
    std::copy(class_token_.begin(), class_token_.end(), x);
    linear(engine, patches + i * grid * k, k, grid, params_.conv1_weight,
           {.residual = positions_.data(), .ld_residual = w}, x + w, w);
  }
}

void VitTower::embed_group(Engine& engine, const model::PixelBatch& batch, float* out,
                           const Trace& trace) {
  const int64_t w = config_.width;
  const int64_t n = batch.n;
  const int64_t tokens = static_cast<int64_t>(positions_.size()) / w + 1;
  const int64_t rows = n * tokens;
  float* x = x_.ensure(rows * w);
  embed_patches(engine, batch);
  norm_rows(engine, params_.ln_pre, kTransformerEps, x, rows, w, x);
  if (trace) trace("visual.ln_pre", x, {n, tokens, w});

  sequences_.clear();
  for (int64_t i = 0; i < n; ++i) {
    sequences_.push_back({.begin = i * tokens, .end = (i + 1) * tokens});
  }
  ScratchPool::Lease pooled(engine.scratch, n * w);
  transformer_.run(engine, sequences_, x, pooled.data(), trace);
  norm_rows(engine, params_.ln_post, kTransformerEps, pooled.data(), n, w, pooled.data());
  linear(engine, pooled.data(), w, n, params_.proj, {}, out, embed_dim_);
  if (trace) trace("visual", out, {n, embed_dim_});
}

}  // namespace clipnext::infer

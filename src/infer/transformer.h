// The pre-norm transformer that the ViT and the text tower share.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "infer/attend.h"
#include "infer/engine.h"
#include "model/params.h"

namespace clipnext::infer {

class Transformer {
 public:
  struct Options {
    int64_t width, heads, mlp_width;
    model::Activation activation;
    bool causal;
    Queries pooled;    // the position of each sequence that the tower goes on with
    std::string name;  // of the tower, in traces: "visual." or ""
  };

  /// The blocks stay where they are and must outlive this.
  Transformer(Options options, std::span<const model::TransformerBlock<Weight>> blocks);

  /// All blocks over x [rows, width], where the sequences lie; out [sequences, width] is what
  /// becomes of the pooled position of each. Only that is computed of the last block, unless there
  /// is a trace to show the rest to. x is used up.
  void run(Engine& engine, std::span<const Sequence> sequences, float* x, float* out,
           const Trace& trace);

 private:
  using Block = model::TransformerBlock<Weight>;

  void project(Engine& engine, const Block& p, const float* y, int64_t rows, float* x);
  void feed_forward(Engine& engine, const Block& p, int64_t rows, float* x);
  /// In fp32, whatever type the product after it wants.
  void show_norm(Engine& engine, const model::Norm<Weight>& norm, const float* x, int64_t rows,
                 const std::string& name, const Trace& trace);
  void take_pooled(std::span<const Sequence> sequences, const float* x, float* out) const;

  Options options_;
  std::span<const Block> blocks_;
  Buffer y_, qkv_;
};

/// open_clip's LayerNorm in both transformer towers.
inline constexpr float kTransformerEps = 1e-5f;

}  // namespace clipnext::infer

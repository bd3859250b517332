// The pre-norm transformer block that the ViT and the text tower share.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "model/params.h"

namespace clipnext::infer {

/// Sequences lie one after another in rows of width floats; sequence i is rows
/// offsets[i] .. offsets[i + 1] - 1.
class Transformer {
 public:
  struct Options {
    int64_t width, heads, mlp_width;
    model::Activation activation;
    bool causal;
    std::string name;  // of the tower, in traces: "visual." or ""
  };

  Transformer(Options options, std::vector<model::TransformerBlock<Weight>> blocks);

  /// All blocks over x [rows, width], in place.
  void run(Engine& engine, std::span<const int64_t> offsets, float* x, const Trace& trace);

 private:
  void attend(Engine& engine, const model::TransformerBlock<Weight>& p,
              std::span<const int64_t> offsets, float* x);

  Options options_;
  std::vector<model::TransformerBlock<Weight>> blocks_;
  Buffer y_, qkv_;
};

/// open_clip's LayerNorm in both transformer towers.
inline constexpr float kTransformerEps = 1e-5f;

}  // namespace clipnext::infer

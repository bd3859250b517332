// The residual attention blocks of open_clip's text tower and ViT, over packed rows.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "model/params.h"
#include "train/mode.h"

namespace clipnext::train {

inline constexpr double kTransformerEps = 1e-5;

/// Where the rows of n sequences lie in x [rows, width]: one sequence after the other, nothing
/// between them.
struct Sequences {
  int64_t n = 0;
  int64_t longest = 0;
  at::Tensor slots;   // i64 [rows]: row r's place among n * longest; undefined if all are as long
  at::Tensor pooled;  // i64 [n]: the row of each that the tower's result comes from
  std::optional<at::Tensor> visible;  // bool [n, 1, 1, longest]: what pooled rows attend to, if
                                      // not everything
};

struct TransformerSpec {
  int64_t heads = 1;
  model::Activation activation = model::Activation::kGelu;
  bool causal = false;
  std::string name;  // before "transformer.resblocks.": "" or "visual."
};

/// All blocks; returns their output's pooled rows [n, width]. Of the last block only what those
/// need is computed.
at::Tensor transform(const std::vector<model::TransformerBlock<at::Tensor>>& blocks,
                     const TransformerSpec& spec, const Sequences& sequences, at::Tensor x,
                     const Mode& mode);

}  // namespace clipnext::train

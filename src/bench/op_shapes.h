// Which kernels one image or one text goes through in a model, and at which shapes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "model/config.h"

namespace clipnext::bench {

enum class Op : uint8_t { kProduct, kDepthwise, kLayerNorm, kAttention, kMeanRows };

/// The kernel's name in kernels.h, less its type: "gemm", "depthwise_conv7", ...
const char* op_name(Op op);

/// One kernel at one shape. kProduct: [m, k] times [n, k] transposed. kDepthwise: a map [m, n, k].
/// kLayerNorm, kMeanRows: rows [m, n]. kAttention: one head, [m, n].
struct OpShape {
  Op op = Op::kProduct;
  std::string part = {};  // "stage 2 fc1"
  int64_t count = 1;      // how often it runs for one item
  int64_t m = 1, n = 1, k = 1;
  kernels::Act act = kernels::Act::kNone;  // of a product's epilogue
  bool residual = false;                   // likewise
  bool causal = false;                     // attention
};

/// Operations of one run as model/profile.h counts them: a multiply-add is two, attention a full
/// square, norms and activations nothing.
double flops(const OpShape& shape);
/// Bytes that a layer norm (in fp32) or mean reads and writes in one run; 0 for the others.
double bytes(const OpShape& shape);

/// For one picture of the config's size: the flops add up to model::profile's.
std::vector<OpShape> image_ops(const model::ClipConfig& config);
/// For one text of full length; likewise.
std::vector<OpShape> text_ops(const model::ClipConfig& config);

}  // namespace clipnext::bench

// Finds where a computation leaves the reference's: layer by layer against a dump of PyTorch's
// intermediate results (tools/dump_reference.py).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "infer/clip.h"
#include "weights/tensor.h"

namespace clipnext::infer {

/// One layer's result x against the dump's y.
struct LayerDifference {
  std::string name;       // PyTorch module path
  double max_abs = 0;     // largest |x - y|
  double relative = 0;    // |x - y| / |y| over all elements; infinite for NaN or another shape
  bool diverges = false;  // relative is above the tolerance
};

struct VerifyReport {
  std::vector<LayerDifference> layers;  // in order of computation: picture, then text
  std::vector<std::string>
      not_compared;  // layers of the dump that are not computed under that name
  /// Index of the first layer of either tower that diverges.
  std::optional<size_t> first;
};

/// What tells a fault from rounding. Two float32 evaluations of a full-size tower differ by about
/// 2e-6 at their end, the epsilon of another normalisation by 5e-6 and more where it is used: 1e-5.
/// In bf16 a product's operands are off by up to 2^-9 and layers add to that: 0.03. In 8 bits by
/// up to 1/127 of the largest of their row: 0.2. So these find what is wrong, not what is slightly
/// off; for that, verify in fp32.
double verify_tolerance(ComputeType type);

/// Runs the dump's `pixels` (u8 [n, h, w, 3]) and `tokens` (integers [n, t]; either may be absent)
/// through `clip` and compares every layer that both have; of texts, the positions up to the pooled
/// one. Throws Error that begins with `source` if the dump holds neither or they have another form.
VerifyReport verify(Clip& clip, const weights::TensorMap& dump, const std::string& source,
                    double tolerance);

}  // namespace clipnext::infer

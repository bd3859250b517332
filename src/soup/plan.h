// What is done with each tensor, decided before a byte of the large ones is read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "soup/agreement.h"
#include "soup/ingredient.h"

namespace clipnext::soup {

/// How values become one.
enum class Accumulate : uint8_t {
  kF64,    // in double, in the order of the ingredients, rounded once
  kF32Seq  // as x * w in float32, one after another, the usual few lines of Python
};

/// The ln 100 that open_clip's trainer clamps logit_scale to.
inline constexpr double kMaxLogitScale = 4.605170185988091;

struct Options {
  /// One for each ingredient; empty: all equal, summed and then divided.
  std::vector<double> weights = {};
  Accumulate accumulate = Accumulate::kF64;
  /// Of floating-point tensors but logit_scale and logit_bias; nothing: the widest of a tensor's
  /// ingredients.
  std::optional<weights::DType> dtype = std::nullopt;
  Selection selection = {};
  /// logit_scale: mean, first, max, or a value of the parameter (a logarithm).
  enum class LogitScale : uint8_t { kMean, kFirst, kMax, kValue } logit_scale = LogitScale::kMean;
  double logit_scale_value = 0;
};

/// One tensor of the result.
struct PlannedTensor {
  std::string name;         // plain layout
  std::string output_name;  // in the file
  weights::DType dtype = weights::DType::kF32;
  weights::Shape shape;
  bool averaged = true;
  /// Of each ingredient; where not averaged, one: what it is a copy of (in dtype).
  std::vector<weights::Tensor> sources = {};
  /// Of each ingredient where `sources` no longer are: what must be finite, too.
  std::vector<weights::Tensor> settled_from = {};

  int64_t numel() const;
  int64_t byte_size() const { return numel() * weights::dtype_size(dtype); }
};

struct Plan {
  std::vector<PlannedTensor> tensors;  // in the order of the file
  std::vector<double> weights;         // for equal ones 1/n
  bool uniform = true;
  Accumulate accumulate = Accumulate::kF64;
  std::vector<std::string> warnings;

  int64_t byte_size() const;
};

/// Ingredients must agree (require_agreement). `config` gives the names of the result, which must
/// be all that it has; without one they are as in the first ingredient. Floats are averaged, of
/// integers and booleans counters (num_batches_tracked) become the largest and others must be
/// equal. logit_scale is clamped to [0, ln 100], with a warning where that changes it. Throws Error
/// for weights that make no sense, and for integers that differ.
Plan make_plan(std::span<const Ingredient> ingredients, const Options& options,
               const model::ClipConfig* config);

/// The weights divided by their sum. Throws Error unless all are finite and the sum is not 0.
std::vector<double> normalised(const std::vector<double>& weights);

/// What should be said of ingredients before they are averaged: 16-bit types, batch norms.
std::vector<std::string> warnings_about(std::span<const Ingredient> ingredients);

}  // namespace clipnext::soup

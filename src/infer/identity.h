// A name for all that a tower's results depend on, by which they may be kept.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "infer/engine.h"
#include "infer/pack.h"

namespace clipnext::infer {

/// A tower's parameters, each with its name and shape as one text. They share their bytes with the
/// tower's own.
using WeightList = std::vector<std::pair<std::string, Weight>>;

/// A hash of packed weights, and of the features of one probe, which change with any change of the
/// arithmetic.
std::string identity(const Engine& engine, const WeightList& weights,
                     std::span<const float> probe_features);

}  // namespace clipnext::infer

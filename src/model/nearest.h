// Advice for mistyped names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clipnext::model {

/// Up to three of `known` that are closest to `name` by edit distance, case aside: " (did you mean
/// A, B?)"; empty if none is close.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace clipnext::model

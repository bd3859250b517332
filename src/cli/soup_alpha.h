// The values of `clipnext soup interp --alpha`.
#pragma once

#include <string>
#include <vector>

namespace clipnext::cli {

/// "0.75", or "0:1:0.1" for 0, 0.1 ... 1, each as its decimal reads. Throws CLI::ValidationError
/// for anything else and outside [0, 1].
std::vector<double> parse_alphas(const std::string& text);

}  // namespace clipnext::cli

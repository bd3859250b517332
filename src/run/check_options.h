// Options that exclude or need one another.
#pragma once

#include <string>
#include <vector>

#include "run/options.h"

namespace clipnext::run {

/// Throws UsageError for settings that cannot run; adds to `warnings` what is taken without effect.
void check_options(const TrainOptions& options, std::vector<std::string>& warnings);

/// A value that shows that the shell read the line otherwise than was meant: an option within it,
/// or a lone quotation mark. Throws UsageError that says where.
void check_quotation(const std::string& option, const std::string& value);

/// Throws UsageError naming the character if `{` and `}` of a shard list do not match.
void check_braces(const std::string& option, const std::string& value);

}  // namespace clipnext::run

// The second program, clipnext-torch, takes over.
#pragma once

#include <string>
#include <vector>

namespace clipnext::cli {

/// Executes `clipnext-torch`, which lies beside this program, in its place: libtorch would weigh on
/// every start of this one. Throws Error if it is not there or does not start; `what` stands in the
/// message as what needs it.
[[noreturn]] void execute_torch_program(const std::string& what,
                                        const std::vector<std::string>& arguments);

}  // namespace clipnext::cli

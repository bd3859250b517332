// What `clipnext train` executes, and one process of a distributed run.
#pragma once

#include <string>
#include <vector>

namespace clipnext::train {

/// Trains with these options (without `train`) and returns the exit status: 0, or 130 if it was
/// interrupted and saved. Starts --nproc processes, and is each of them.
int run_process(const std::vector<std::string>& arguments);

}  // namespace clipnext::train

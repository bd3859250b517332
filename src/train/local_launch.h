// `--nproc N`: the processes of a run, all on this machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "run/launch.h"

namespace clipnext::train {

/// Starts this program `count` times with the same arguments, ranks 0 .. count - 1, and waits.
/// Signals go on to all. When one fails the others are ended. Returns the status of the first that
/// failed, else 0.
int launch_local(int64_t count, const std::vector<std::string>& arguments,
                 const run::Environment& environment);

/// In a process that launch_local started: it ends with the one that started it, however that ends.
void follow_launcher(const run::Environment& environment);

}  // namespace clipnext::train

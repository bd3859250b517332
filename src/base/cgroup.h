// How much processor time the control groups of this process pay for.
#pragma once

#include <filesystem>

namespace clipnext {

/// Processors that the smallest CPU quota among this process's control group and those above it
/// amounts to, rounded, at least 1; 0 without a quota. Versions 1 and 2 (Linux's cgroup-v1/ and
/// cgroup-v2.rst). Tests name other places than the system's.
int cgroup_cpus(const std::filesystem::path& membership = "/proc/self/cgroup",
                const std::filesystem::path& mount = "/sys/fs/cgroup");

}  // namespace clipnext

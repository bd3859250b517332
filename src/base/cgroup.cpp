#include "base/cgroup.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace clipnext {
namespace {

namespace fs = std::filesystem;

// Version 2 writes "max 100000" or "150000 100000" (microseconds a period); version 1 has the two
// numbers in two files, a quota of -1 for none.
double quota_of(const fs::path& group) {
  std::string quota;
  double period = 0;
  if (std::ifstream file(group / "cpu.max"); !(file >> quota >> period)) {
    std::ifstream(group / "cpu.cfs_quota_us") >> quota;
    std::ifstream(group / "cpu.cfs_period_us") >> period;
  }
  const double allowed = std::strtod(quota.c_str(), nullptr);  // 0 for "max"
  return allowed > 0 && period > 0 ? allowed / period : 0;
}

// The smallest quota of a group and those above it. Inside a container the path may be the host's,
// which is not there: the walk then ends at the mount, which is the container's own group.
double smallest_quota(const fs::path& mount, std::string_view path) {
  double smallest = 0;
  for (fs::path group(path);; group = group.parent_path()) {
    const double quota = quota_of(mount / group.relative_path());
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
    if (!group.has_relative_path()) return smallest;
  }
}

// Whether a version 1 group's list of controllers ("cpu,cpuacct") has the one with the quota.
bool has_cpu(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
}

}  // namespace

int cgroup_cpus(const fs::path& membership, const fs::path& mount) {
  double quota = 0;
  std::ifstream file(membership);
  for (std::string line; std::getline(file, line);) {  // "0::/path" or "4:cpu,cpuacct:/path"
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && !has_cpu(controllers)) continue;
    const fs::path root = controllers.empty() ? mount : mount / "cpu";
    const double found = smallest_quota(root, std::string_view(line).substr(second + 1));
    if (found > 0 && (quota == 0 || found < quota)) quota = found;
  }
  return quota > 0 ? std::max(1, static_cast<int>(std::lround(quota))) : 0;
}

}  // namespace clipnext

// Which machine a measurement comes from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clipnext::bench {

struct Machine {
  std::string cpu;                    // "AMD EPYC 9575F, family 26 model 2", as Linux names it
  std::vector<std::string> features;  // those of /proc/cpuinfo that matter for products
  int cpus = 1;                       // that this process may use
};

/// From /proc/cpuinfo; "unknown" where there is none.
Machine this_machine();

/// The first processor of a text in /proc/cpuinfo's form; `cpus` is left alone.
Machine parse_cpuinfo(std::string_view text);

/// Now, "2026-01-31T23:59:59Z".
std::string utc_now();

}  // namespace clipnext::bench

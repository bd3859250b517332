#include "bench/machine.h"

#include <algorithm>
#include <ctime>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "base/thread_pool.h"

namespace clipnext::bench {
namespace {

constexpr std::string_view kFeatures[] = {
    "avx2",        "avx_vnni",    "avx512f",  "avx512bw", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8",
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string> known_features(const std::string& flags) {
  std::vector<std::string> found;
  std::istringstream words(flags);
  for (std::string word; words >> word;) {
    if (std::find(std::begin(kFeatures), std::end(kFeatures), word) != std::end(kFeatures)) {
      found.push_back(word);
    }
  }
  return found;
}

}  // namespace

Machine parse_cpuinfo(std::string_view text) {
  std::string name;
  std::string family;
  std::string model;
  Machine machine;
  for (const std::string& line : split_lines(std::string(text))) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) {
      if (!name.empty()) break;  // an empty line ends a processor
      continue;
    }
    const std::string_view key = trim(std::string_view(line).substr(0, colon));
    const std::string value(trim(std::string_view(line).substr(colon + 1)));
    if (key == "model name") name = value;
    if (key == "cpu family") family = value;
    if (key == "model") model = value;
    if (key == "flags") machine.features = known_features(value);
  }
  machine.cpu = name.empty() ? "unknown" : name;
  if (!family.empty() && !model.empty()) {
    machine.cpu += ", family " + family + " model " + model;
  }
  return machine;
}

Machine this_machine() {
  Machine machine{.cpu = "unknown", .features = {}};
  try {
    machine = parse_cpuinfo(read_file("/proc/cpuinfo"));
  } catch (const Error&) {  // only a label is lost
  }
  machine.cpus = usable_cpus();
  return machine;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

}  // namespace clipnext::bench

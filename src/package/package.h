// A model folder as the hub has it, written in one piece.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "package/contents.h"

namespace clipnext::package {

inline constexpr const char* kCardFile = "README.md";
inline constexpr const char* kSoupFile = "soup.json";

struct Package {
  const Contents& contents;
  std::string card = {};
  std::map<std::string, std::string> files = {};  // more of them: charts, soup.json
  bool also_bin = false;                          // open_clip_pytorch_model.bin too
};

/// Whether `out` holds a card that somebody edited, which write_package leaves as it is unless
/// forced. Throws Error if `out` is a file, or a folder of something else without `force`.
bool keeps_card(const std::filesystem::path& out, bool force);

/// Writes all files, the folder appears whole or not at all; of a folder that is there already,
/// what no package has a file for stays. Gives names and sizes. Throws Error naming what cannot
/// be written.
std::vector<std::pair<std::string, int64_t>> write_package(const std::filesystem::path& out,
                                                           const Package& package, bool force);

}  // namespace clipnext::package

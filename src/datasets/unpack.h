// Archives as data sets are published, unpacked once.
#pragma once

#include <cstdint>
#include <filesystem>

namespace clipnext::datasets {

struct UnpackLimits {
  int64_t files = 20'000'000;
  int64_t bytes = int64_t{1} << 40;
};

/// The folder that holds what a .tar, .tar.gz, .tgz, .tar.zst or .zip archive does: below `cache`,
/// by the archive's path, size and time of change, so that it is unpacked when it is new. Only
/// regular files and folders are made; names that are absolute or lead upwards are an Error, links
/// and devices are left out. Interrupted or failed, nothing is left. Throws Error naming the
/// archive for damage, encryption, other formats and above the limits.
std::filesystem::path unpack_archive(const std::filesystem::path& archive,
                                     const std::filesystem::path& cache,
                                     const UnpackLimits& limits = {});

}  // namespace clipnext::datasets

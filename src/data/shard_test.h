// For tests only: tars of samples, and a listener.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "data/sample_source.h"
#include "data/tar_writer.h"

namespace clipnext::data {

using Members = std::vector<std::pair<std::string, std::string>>;  // name, content

inline void write_tar(const std::filesystem::path& path, const Members& members) {
  TarWriter tar(path);
  for (const auto& [name, content] : members) tar.add(name, content);
  tar.commit();
}

/// Keeps "NAME: REASON" of every fault.
struct Faults {
  OnFault listener() {
    return [this](const std::string& name, const std::string& reason) {
      const std::lock_guard lock(mutex);
      all.push_back(name + ": " + reason);
    };
  }
  std::mutex mutex;
  std::vector<std::string> all;
};

}  // namespace clipnext::data

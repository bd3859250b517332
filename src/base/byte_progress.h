// A progress line for bytes, counted in MB.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "base/progress.h"

namespace clipnext {

/// Progress for a download of `total` bytes (0: unknown); any thread may add.
class ByteProgress {
 public:
  ByteProgress(std::string name, int64_t total, bool quiet = false)
      : bar_(std::move(name), total / kMegabyte, "MB", quiet) {}

  void add(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    bytes_ += bytes;
    const int64_t now = bytes_ / kMegabyte;
    bar_.add(now - shown_);
    shown_ = now;
  }

 private:
  static constexpr int64_t kMegabyte = 1'000'000;

  Progress bar_;
  std::mutex mutex_;
  int64_t bytes_ = 0;
  int64_t shown_ = 0;
};

}  // namespace clipnext

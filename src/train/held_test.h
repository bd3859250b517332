// For tests only.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstdint>

namespace clipnext::train {

/// Counts what tensors of this thread hold, and the most they held.
struct Held : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void* /*ptr*/, int64_t size, size_t /*allocated*/, size_t /*reserved*/,
                         c10::Device /*device*/) override {
    now += size;
    most = std::max(most, now);
  }
  bool memoryProfilingEnabled() const override { return true; }

  int64_t now = 0, most = 0;
};

}  // namespace clipnext::train

// When to give up waiting for data.
#pragma once

#include <atomic>

#include "base/error.h"
#include "base/interrupt.h"

namespace clipnext::data {

/// A flag of whoever reads, set once it wants no more; null: it has none.
using StopFlag = const std::atomic<bool>*;

/// Throws Interrupted if a signal came or the flag is set.
inline void throw_if_stopped(StopFlag stop) {
  throw_if_interrupted();
  if (stop != nullptr && *stop) throw Interrupted();
}

}  // namespace clipnext::data

// Memory between steps.
#pragma once

namespace clipnext::train {

/// Lets the process keep what it frees for its next allocation, large blocks too. Otherwise every
/// tensor above 32 MB is fresh from the kernel, which clears it page by page, again at each step.
/// Call it before the first tensor; only where libc is glibc it does anything.
void keep_freed_memory();

}  // namespace clipnext::train

// Work that waits for others most of the time, side by side.
#pragma once

#include <cstddef>
#include <functional>

namespace clipnext::net {

/// body(i) for each i in [0, count) on up to `threads` threads, in order of beginning. After an
/// exception none is begun any more; the first one is rethrown once all have ended.
void in_parallel(size_t count, int threads, const std::function<void(size_t)>& body);

}  // namespace clipnext::net

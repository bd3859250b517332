#include "train/memory.h"

#include <cstdlib>  // names the C library

#ifdef __GLIBC__
#include <malloc.h>

#include <limits>
#endif

namespace clipnext::train {

void keep_freed_memory() {
#ifdef __GLIBC__
  // The threshold for blocks of their own cannot be raised above 32 MB; their number can be set to
  // 0.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace clipnext::train

// Peak of live heap bytes in a test program, so that a parser's memory can be bounded.
#pragma once

#include <cstdint>

namespace clipnext::hostile {

/// Counts every allocation of the program (malloc and operator new, C libraries included) by all
/// threads. Linking clipnext::hostile installs it: over malloc in plain builds, through the
/// sanitizers' own hooks under ASan and TSan.
class AllocationPeak {
 public:
  /// From now on the peak is counted above what is live at this moment.
  AllocationPeak();
  /// Highest number of bytes live at once since construction, less those live before. A request
  /// that failed counts as if it had been granted.
  int64_t bytes() const;

 private:
  int64_t before_;
};

}  // namespace clipnext::hostile

// Repairs text that was decoded in the wrong encoding, as ftfy's fix_encoding does.
#pragma once

#include <cstdint>
#include <string>

namespace clipnext::text {

/// What may still be spent on going over a text again, in code points. The reference repeats its
/// repairs until nothing changes, which on text made for it takes quadratic time: 1 MB would take
/// hours. When this is used up, repairs stop where they are. Texts below 4,000 characters, and any
/// that a person wrote, stay far from it.
struct Effort {
  int64_t left = int64_t{1} << 24;

  /// Takes `amount`; false once nothing is left.
  bool spend(size_t amount) {
    left -= static_cast<int64_t>(amount);
    return left > 0;
  }
};

/// ftfy 6.3.1's fix_encoding(): `cafÃ©` to `café`. Text that shows no sign of it stays as it is.
std::u32string fix_encoding(std::u32string text, Effort& effort);

}  // namespace clipnext::text

// SHA-256 and SHA-1 (FIPS 180-4): what servers and repositories call contents by. SHA-1 only to
// compare with names that are such hashes; it withstands no forger.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace clipnext {

/// Takes bytes piece by piece. Words is the size of the state: 8 for SHA-256, 5 for SHA-1.
template <size_t Words>
class Sha {
 public:
  Sha();
  void add(std::string_view bytes);
  /// The hash of all that was added, 8 hexadecimal digits a word. Nothing may be added after.
  std::string hex();

 private:
  std::array<uint32_t, Words> state_;
  std::array<unsigned char, 64> block_{};
  size_t filled_ = 0;
  uint64_t size_ = 0;
};

using Sha256 = Sha<8>;
using Sha1 = Sha<5>;

extern template class Sha<8>;
extern template class Sha<5>;

/// The hash of one text.
std::string sha256_hex(std::string_view bytes);

}  // namespace clipnext

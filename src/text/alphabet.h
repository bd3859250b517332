// The characters that vocabulary files write bytes with, and the order their ids follow.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace clipnext::text {

/// Printable bytes stand for themselves and come first; the others are U+0100 and up, in order.
class Alphabet {
 public:
  Alphabet();

  /// Place in the order, which is the byte's id in the vocabulary.
  int32_t id(unsigned char byte) const { return ids_[byte]; }
  /// The byte's character in UTF-8, by id.
  const std::string& symbol(int32_t id) const { return symbols_[static_cast<size_t>(id)]; }
  /// Turns a token's text back into bytes; characters outside the alphabet are left out.
  std::string to_bytes(std::string_view token) const;

 private:
  std::array<int32_t, 256> ids_{};
  std::array<std::string, 256> symbols_;
  std::array<char, 0x144> bytes_{};  // by code point of the symbol
};

/// The one there is.
const Alphabet& alphabet();

}  // namespace clipnext::text

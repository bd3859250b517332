#include "text/alphabet.h"

#include "text/unicode.h"

namespace clipnext::text {
namespace {

bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

}  // namespace

Alphabet::Alphabet() {
  int32_t next_id = 0;
  char32_t next_code = 0x100;
  for (const bool printable : {true, false}) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (stands_for_itself(byte) != printable) continue;
      const char32_t code = printable ? byte : next_code++;
      append_utf8(symbols_[static_cast<size_t>(next_id)], code);
      bytes_[code] = static_cast<char>(byte);
      ids_[byte] = next_id++;
    }
  }
}

std::string Alphabet::to_bytes(std::string_view token) const {
  std::string out;
  for (size_t at = 0; at < token.size();) {
    const auto [code, size] = decode_one(token, at);
    if (code < bytes_.size()) out.push_back(bytes_[code]);
    at += size;
  }
  return out;
}

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace clipnext::text

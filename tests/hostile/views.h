// Bytes as the parsers want them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace clipnext::hostile {

inline std::span<const uint8_t> as_u8(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace clipnext::hostile

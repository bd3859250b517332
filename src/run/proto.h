// Just enough of protocol buffers' wire format (protobuf.dev/programming-guides/encoding) to write
// and read event files.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace clipnext::run {

inline void put_fixed32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFFU);
}

inline void put_fixed64(std::string& out, uint64_t value) {
  put_fixed32(out, static_cast<uint32_t>(value));
  put_fixed32(out, static_cast<uint32_t>(value >> 32));
}

inline void put_raw_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7FU) | 0x80U);
  out += static_cast<char>(value);
}

enum class Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

inline void put_key(std::string& out, int field, Wire wire) {
  put_raw_varint(out, static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire));
}

inline void put_varint(std::string& out, int field, uint64_t value) {
  put_key(out, field, Wire::kVarint);
  put_raw_varint(out, value);
}

inline void put_double(std::string& out, int field, double value) {
  put_key(out, field, Wire::kFixed64);
  put_fixed64(out, std::bit_cast<uint64_t>(value));
}

inline void put_float(std::string& out, int field, float value) {
  put_key(out, field, Wire::kFixed32);
  put_fixed32(out, std::bit_cast<uint32_t>(value));
}

inline void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_key(out, field, Wire::kBytes);
  put_raw_varint(out, bytes.size());
  out += bytes;
}

inline uint32_t get_fixed32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])) << 8 * i;
  }
  return value;
}

inline uint64_t get_fixed64(std::string_view bytes) {
  return get_fixed32(bytes) | static_cast<uint64_t>(get_fixed32(bytes.substr(4))) << 32;
}

/// A field as it stands in a message: a number, or bytes.
struct ProtoField {
  int number = 0;
  uint64_t value = 0;           // of a varint, or the bits of a fixed one
  std::string_view bytes = {};  // of a string or message
};

/// Takes a varint from the front; false if there is no whole one.
inline bool take_varint(std::string_view& bytes, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

/// Calls f(ProtoField) for each field; false where the message is none, from there on.
template <class F>
bool for_each_field(std::string_view bytes, const F& f) {
  while (!bytes.empty()) {
    uint64_t key = 0;
    if (!take_varint(bytes, key)) return false;
    ProtoField field{.number = static_cast<int>(key >> 3)};
    size_t size = 0;
    switch (static_cast<Wire>(key & 7U)) {
      case Wire::kVarint:
        if (!take_varint(bytes, field.value)) return false;
        break;
      case Wire::kFixed64:
        if (bytes.size() < 8) return false;
        field.value = get_fixed64(bytes);
        size = 8;
        break;
      case Wire::kFixed32:
        if (bytes.size() < 4) return false;
        field.value = get_fixed32(bytes);
        size = 4;
        break;
      case Wire::kBytes: {
        uint64_t length = 0;
        if (!take_varint(bytes, length) || length > bytes.size()) return false;
        size = static_cast<size_t>(length);
        field.bytes = bytes.substr(0, size);
        break;
      }
      default:
        return false;
    }
    bytes.remove_prefix(size);
    f(field);
  }
  return true;
}

}  // namespace clipnext::run

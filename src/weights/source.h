// The bytes of a checkpoint as its readers take them, and a cursor over bytes that checks every
// step.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace clipnext::weights {

static_assert(std::endian::native == std::endian::little, "tensors are used as they lie in files");

/// A whole file: `owner` keeps the bytes alive, `name` stands in messages.
struct Source {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  std::string name;
};

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Reads little-endian values one after another; a step beyond the end throws Error that names
/// `what` is being read.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string what)
      : bytes_(bytes), what_(std::move(what)) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  std::span<const std::byte> take(uint64_t size) {
    require(size <= left(), what_, ": ends too early: ", size, " bytes expected at offset ",
            position_, ", ", left(), " left");
    const auto taken = bytes_.subspan(position_, static_cast<size_t>(size));
    position_ += static_cast<size_t>(size);
    return taken;
  }

  template <class T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  /// Up to the next line feed, which is read and left out.
  std::string_view line() {
    const std::string_view rest = as_text(bytes_.subspan(position_));
    const size_t end = rest.find('\n');
    require(end != std::string_view::npos, what_, ": ends too early: line at offset ", position_,
            " has no end");
    position_ += end + 1;
    return rest.substr(0, end);
  }

  const std::string& what() const { return what_; }

 private:
  std::span<const std::byte> bytes_;
  std::string what_;
  size_t position_ = 0;
};

}  // namespace clipnext::weights

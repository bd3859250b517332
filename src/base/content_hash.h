// A fast fingerprint of bytes, for telling contents apart. Not for contents that somebody forges to
// look like others: that takes a cryptographic hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/thread_pool.h"

namespace clipnext {

/// 128 bits, the same on every machine of our byte order.
struct ContentHash {
  uint64_t low = 0;
  uint64_t high = 0;

  bool operator==(const ContentHash&) const = default;
  /// 32 hexadecimal digits.
  std::string hex() const;
};

/// The hash of `bytes` after what `before` stands for, which chains several pieces in order.
ContentHash hash_bytes(std::span<const std::byte> bytes, const ContentHash& before = {});
ContentHash hash_text(std::string_view text, const ContentHash& before = {});

/// The same idea for many bytes, on all threads; another value than hash_bytes gives.
ContentHash hash_bytes(ThreadPool& pool, std::span<const std::byte> bytes,
                       const ContentHash& before = {});

}  // namespace clipnext

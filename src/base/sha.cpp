#include "base/sha.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/sha256_blocks.h"

namespace clipnext {
namespace {

uint32_t load(const unsigned char* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

void compress(std::array<uint32_t, 8>& state, const unsigned char* block) {
  uint32_t w[64];
  for (size_t i = 0; i < 16; ++i) w[i] = load(block + 4 * i);
  for (size_t i = 16; i < 64; ++i) {
    const uint32_t a = w[i - 15];
    const uint32_t b = w[i - 2];
    w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3)) + w[i - 7] +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10));
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t i = 0; i < 64; ++i) {
    const uint32_t first = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                           ((e & f) ^ (~e & g)) + kSha256Rounds[i] + w[i];
    const uint32_t second =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  const uint32_t next[8] = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) state[i] += next[i];
}

void compress(std::array<uint32_t, 5>& state, const unsigned char* block) {
  constexpr uint32_t kConstants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
  uint32_t w[80];
  for (size_t i = 0; i < 16; ++i) w[i] = load(block + 4 * i);
  for (size_t i = 16; i < 80; ++i) {
    w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (size_t i = 0; i < 80; ++i) {
    const uint32_t mixed = i < 20              ? (b & c) | (~b & d)
                           : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d)
                                               : b ^ c ^ d;
    const uint32_t next = std::rotl(a, 5) + mixed + e + kConstants[i / 20] + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const uint32_t next[5] = {a, b, c, d, e};
  for (size_t i = 0; i < 5; ++i) state[i] += next[i];
}

template <size_t Words>
constexpr std::array<uint32_t, Words> initial() {
  if constexpr (Words == 8) {
    return {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  } else {
    return {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  }
}

}  // namespace

void sha256_portable(uint32_t* state, const void* blocks, size_t count) {
  std::array<uint32_t, 8> words{};
  std::copy_n(state, words.size(), words.begin());
  for (size_t i = 0; i < count; ++i) {
    compress(words, static_cast<const unsigned char*>(blocks) + i * kSha256Block);
  }
  std::copy(words.begin(), words.end(), state);
}

template <size_t Words>
Sha<Words>::Sha() : state_(initial<Words>()) {}

template <size_t Words>
void Sha<Words>::add(std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  size_ += left;
  if (filled_ > 0) {
    const size_t taken = std::min(left, kSha256Block - filled_);
    std::memcpy(block_.data() + filled_, at, taken);
    filled_ += taken;
    at += taken;
    left -= taken;
    if (filled_ < kSha256Block) return;
    compress(state_, block_.data());
    filled_ = 0;
  }
  if constexpr (Words == 8) {
    if (left >= kSha256Block && sha256_blocks(state_.data(), at, left / kSha256Block)) {
      at += left / kSha256Block * kSha256Block;
      left %= kSha256Block;
    }
  }
  for (; left >= kSha256Block; at += kSha256Block, left -= kSha256Block) compress(state_, at);
  if (left > 0) std::memcpy(block_.data(), at, left);
  filled_ = left;
}

template <size_t Words>
std::string Sha<Words>::hex() {
  const uint64_t bits = size_ * 8;
  std::string end(1, '\x80');
  end.append((kSha256Block + 56 - (filled_ + 1)) % kSha256Block, '\0');
  for (int shift = 56; shift >= 0; shift -= 8) end += static_cast<char>(bits >> shift & 0xFF);
  add(end);
  std::string text;
  for (const uint32_t word : state_) {
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 0xF];
  }
  return text;
}

template class Sha<8>;
template class Sha<5>;

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

}  // namespace clipnext

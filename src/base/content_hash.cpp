// Four lanes, each multiplying two words of the input (one with the lane's state mixed in) to 128
// bits and folding the halves together, as wyhash does.
#include "base/content_hash.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

namespace clipnext {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr size_t kLanes = 4;
constexpr size_t kBlock = kLanes * 16;
constexpr size_t kChunk = size_t{1} << 20;  // of a task

// Digits of pi behind the point.
constexpr uint64_t kMix[2 * kLanes] = {0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0,
                                       0x082EFA98EC4E6C89, 0x452821E638D01377, 0xBE5466CF34E90C6C,
                                       0xC0AC29B7C97C50DD, 0x3F84D5B5B5470917};

uint64_t fold(uint64_t a, uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

void add_block(uint64_t (&lanes)[kLanes], const std::byte* block) {
  for (size_t i = 0; i < kLanes; ++i) {
    uint64_t words[2];
    std::memcpy(words, block + 16 * i, sizeof words);
    lanes[i] = fold(words[0] ^ lanes[i], words[1] ^ kMix[i]);
  }
}

}  // namespace

std::string ContentHash::hex() const {
  char digits[33];
  std::snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return digits;
}

ContentHash hash_bytes(std::span<const std::byte> bytes, const ContentHash& before) {
  uint64_t lanes[kLanes] = {before.low ^ kMix[4], before.high ^ kMix[5], before.low ^ kMix[6],
                            before.high ^ kMix[7]};
  size_t at = 0;
  for (; bytes.size() - at >= kBlock; at += kBlock) add_block(lanes, bytes.data() + at);
  if (at < bytes.size()) {
    std::byte rest[kBlock] = {};
    std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), rest);
    add_block(lanes, rest);
  }
  const uint64_t size = bytes.size();
  const uint64_t a = fold(lanes[0] ^ size, lanes[1] ^ kMix[0]);
  const uint64_t b = fold(lanes[2] ^ kMix[1], lanes[3] ^ size ^ kMix[2]);
  return {.low = fold(a ^ kMix[3], b ^ kMix[4]), .high = fold(a ^ kMix[5], b ^ kMix[6]) ^ a};
}

ContentHash hash_text(std::string_view text, const ContentHash& before) {
  return hash_bytes(std::as_bytes(std::span(text)), before);
}

ContentHash hash_bytes(ThreadPool& pool, std::span<const std::byte> bytes,
                       const ContentHash& before) {
  std::vector<ContentHash> chunks((bytes.size() + kChunk - 1) / kChunk);
  pool.parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    const size_t at = static_cast<size_t>(i) * kChunk;
    chunks[static_cast<size_t>(i)] =
        hash_bytes(bytes.subspan(at, std::min(kChunk, bytes.size() - at)));
  });
  return hash_bytes(std::as_bytes(std::span(chunks)), before);
}

}  // namespace clipnext

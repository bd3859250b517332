#include "base/sha.h"

#include <gtest/gtest.h>

#include "base/sha256_blocks.h"

namespace clipnext {
namespace {

// FIPS 180-4's examples.
TEST(Sha, Is256OfTheStandardsExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// A block alone goes through the portable code only where the processor has nothing of its own, so
// that code is held to it here.
TEST(Sha, Is256WithAndWithoutTheProcessorsInstructions) {
  std::array<uint32_t, 8> fast = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint32_t, 8> slow = fast;
  std::array<unsigned char, 192> blocks{};
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<unsigned char>(i * 37);
  if (!sha256_blocks(fast.data(), blocks.data(), 3)) GTEST_SKIP() << "no SHA extensions here";
  sha256_portable(slow.data(), blocks.data(), 3);
  EXPECT_EQ(fast, slow);
}

TEST(Sha, Is1OfTheStandardsExamples) {
  const auto sha1 = [](std::string_view text) {
    Sha1 hash;
    hash.add(text);
    return hash.hex();
  };
  EXPECT_EQ(sha1(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(sha1(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(Sha, TakesPiecesOfAnySize) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 7);
  for (const size_t piece : {1, 3, 55, 56, 57, 63, 64, 65, 127, 128}) {
    for (const size_t size : {0, 1, 55, 56, 63, 64, 119, 120, 1000}) {
      Sha256 hash;
      for (size_t at = 0; at < size; at += piece) {
        hash.add(std::string_view(text).substr(at, std::min(piece, size - at)));
      }
      EXPECT_EQ(hash.hex(), sha256_hex(std::string_view(text).substr(0, size))) << piece;
    }
  }
}

}  // namespace
}  // namespace clipnext

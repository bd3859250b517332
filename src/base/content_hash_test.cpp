#include "base/content_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace clipnext {
namespace {

TEST(ContentHash, DiffersWithEveryBitAndLength) {
  std::set<std::string> seen;
  size_t count = 0;
  for (size_t size = 0; size < 200; ++size) {
    std::vector<std::byte> bytes(size);
    seen.insert(hash_bytes(bytes).hex());
    ++count;
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      seen.insert(hash_bytes(bytes).hex());
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      ++count;
    }
  }
  EXPECT_EQ(seen.size(), count);
  EXPECT_EQ(seen.begin()->size(), 32U);
}

TEST(ContentHash, KeepsTheOrderOfPieces) {
  const ContentHash ab = hash_text("b", hash_text("a"));
  EXPECT_EQ(ab, hash_text("b", hash_text("a")));
  EXPECT_NE(ab, hash_text("a", hash_text("b")));
  EXPECT_NE(ab, hash_text("ab"));
}

TEST(ContentHash, OfManyBytesDependsOnAllButNotOnThreads) {
  std::vector<std::byte> bytes((size_t{5} << 20) + 7);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(i * 2654435761U >> 13);
  ThreadPool one(1);
  ThreadPool three(3);
  const ContentHash whole = hash_bytes(one, bytes);
  EXPECT_EQ(hash_bytes(three, bytes), whole);
  for (const size_t at : {size_t{0}, size_t{1} << 20, bytes.size() - 1}) {
    bytes[at] ^= std::byte{64};
    EXPECT_NE(hash_bytes(one, bytes), whole);
    bytes[at] ^= std::byte{64};
  }
}

TEST(ContentHash, IsTheSameTomorrow) {
  EXPECT_EQ(hash_text("clipnext").hex(), "ca17252c2723f84c675902081210f4af");
}

}  // namespace
}  // namespace clipnext

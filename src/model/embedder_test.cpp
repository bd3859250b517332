#include "model/embedder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"

namespace clipnext::model {
namespace {

TEST(TokenRows, CutAfterTheFirstMaximum) {
  TokenRows rows;
  const int32_t first[] = {49406, 320, 49407, 0, 49407};
  const int32_t second[] = {5};
  rows.add(first);
  rows.add(second);
  ASSERT_EQ(rows.size(), 2);
  EXPECT_TRUE(std::ranges::equal(rows.row(0), std::span(first).first(3)));
  EXPECT_TRUE(std::ranges::equal(rows.row(1), second));
  EXPECT_THROW(rows.add({}), Error);
}

}  // namespace
}  // namespace clipnext::model

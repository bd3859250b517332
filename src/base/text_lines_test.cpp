#include "base/text_lines.h"

#include <gtest/gtest.h>

namespace clipnext {
namespace {

using Lines = std::vector<std::string>;

TEST(TextLines, LastLineNeedsNoEnd) {
  EXPECT_EQ(split_lines("a\nb"), (Lines{"a", "b"}));
  EXPECT_EQ(split_lines("a\nb\n"), (Lines{"a", "b"}));
  EXPECT_EQ(split_lines(""), Lines{});
  EXPECT_EQ(split_lines("\n"), Lines{""});
}

TEST(TextLines, KeepsEmptyLinesAndInnerSpace) {
  EXPECT_EQ(split_lines("a\n\n b \n"), (Lines{"a", "", " b "}));
}

TEST(TextLines, DropsCarriageReturnsAndByteOrderMark) {
  EXPECT_EQ(split_lines("\xef\xbb\xbf"
                        "a\r\nb\r\n"),
            (Lines{"a", "b"}));
}

TEST(TextLines, ItemsAreTrimmedAndNotEmpty) {
  EXPECT_EQ(split_items(" cat \n\n\tdog\r\n  \n"), (Lines{"cat", "dog"}));
}

}  // namespace
}  // namespace clipnext

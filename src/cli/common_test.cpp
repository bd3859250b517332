#include "cli/common.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "cli/thumbnail.h"

namespace clipnext::cli {
namespace {

TEST(Fit, PadsAndCutsByCodePoints) {
  EXPECT_EQ(fit("ab", 4), "ab  ");
  EXPECT_EQ(fit("ab", 4, true), "  ab");
  EXPECT_EQ(fit("äöü", 3), "äöü");
  EXPECT_EQ(fit("äöüß", 3), "äö…");
}

TEST(JsonNumber, IsTheShortestDecimalOfAFloat) {
  EXPECT_EQ(OrderedJson(json_number(0.1f)).dump(), "0.1");
  EXPECT_EQ(static_cast<float>(json_number(0.80070561f)), 0.80070561f);
}

TEST(Format, TakesTextOfAnyLength) {
  const std::string text(5000, 'x');
  EXPECT_EQ(format("%s|%d", text.c_str(), 7), text + "|7");
}

TEST(ReportBad, FailsWhenNothingIsLeft) {
  const std::vector<pipeline::BadItem> bad = {{.index = 0, .reason = "a: broken"}};
  EXPECT_NO_THROW(report_bad(bad, 2, "images"));
  EXPECT_THROW(report_bad(bad, 1, "images"), Error);
}

TEST(Thumbnail, FitsTheCellsAndResetsColours) {
  image::Image picture;
  picture.mode = image::Mode::kRgb;
  picture.width = 4;
  picture.height = 2;
  picture.data.assign(4 * 2 * 3, 255);
  const std::vector<std::string> lines = thumbnail(picture, 8, 3);
  ASSERT_EQ(lines.size(), 2U);  // 8 x 4 pixels
  for (const std::string& line : lines) {
    EXPECT_NE(line.find("\033[38;2;255;255;255m"), std::string::npos);
    EXPECT_TRUE(line.ends_with("\033[0m")) << line;
  }
}

TEST(Thumbnail, TextStandsBesideIt) {
  EXPECT_EQ(beside({"XX"}, 2, {"one", "two"}), "XX  one\n    two\n");
}

}  // namespace
}  // namespace clipnext::cli

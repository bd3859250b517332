#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>

#include "page/document.h"
#include "page/line_chart.h"
#include "page/markup.h"
#include "page/svg_chart.h"

namespace clipnext::page {
namespace {

const std::string kHostile = "<script>alert('1')</script>\"&\x01";

size_t count(const std::string& text, const std::string& part) {
  size_t times = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

TEST(Markup, TextShowsAsItself) {
  EXPECT_EQ(escape("a<b>&\"'\x01\n\xef\xbf\xbf.\xef\xbf"),
            "a&lt;b&gt;&amp;&quot;&#39;\xef\xbf\xbd\n\xef\xbf\xbd.\xef\xbf");
  EXPECT_EQ(percent(0.7685), "76.85\u00a0%");
  EXPECT_EQ(shortened("abcdef", 3), "abc…");
  EXPECT_EQ(shortened("aé", 2), "a…");
}

TEST(Markup, Base64IsRfc4648s) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(base64(bytes), text);
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Charts, WithoutPointsOrWithOneStillStand) {
  EXPECT_EQ(count(scatter_svg({.title = "t", .x_label = "x", .y_label = "y"}), "<circle"), 0U);
  const Chart one{
      .title = kHostile,
      .x_label = "x",
      .y_label = "y",
      .points = {{.x = 5, .y = 0.5, .label = kHostile}, {.x = 0, .y = 1, .label = "no"}}};
  const std::string svg = scatter_svg(one);
  EXPECT_EQ(count(svg, "<circle"), 1U);
  EXPECT_EQ(count(svg, "nan"), 0U);
  EXPECT_EQ(count(svg, "<script"), 0U);
  EXPECT_EQ(count(reliability_svg({}, "t"), "<rect"), 0U);
}

TEST(LineChart, EveryCurveIsDrawnAndNamed) {
  const std::string svg = line_svg(
      {.title = kHostile,
       .x_label = "step",
       .y_label = "loss",
       .log_y = true,
       .curves = {{"a", {{0, 5}, {10, 0.5}, {20, 0}}}, {kHostile, {{0, 4}}}, {"none", {{0, -1}}}}});
  EXPECT_EQ(count(svg, "<path"), 2U);
  EXPECT_EQ(count(svg, "<circle"), 1U);  // a curve of one point
  EXPECT_EQ(count(svg, "<script"), 0U);
  EXPECT_EQ(count(svg, "nan"), 0U);
  EXPECT_EQ(count(svg, ">none<"), 0U);
}

TEST(LineChart, LongCurvesKeepTheirOutliers) {
  Curve curve{.name = "c", .points = {}};
  for (int i = 0; i < 100'000; ++i) curve.points.emplace_back(i, i == 77'777 ? 100.0 : 1.0);
  const std::string svg =
      line_svg({.title = "t", .x_label = "x", .y_label = "y", .curves = {curve}});
  EXPECT_LT(svg.size(), 40'000U);
  // The outlier is the highest point: it alone comes near the top of the area.
  EXPECT_EQ(count(svg, " 59.7"), 1U) << svg.substr(0, 2000);
}

TEST(LineChart, WithoutPointsStandsEmpty) {
  EXPECT_EQ(count(line_svg({.title = "t", .x_label = "x", .y_label = "y"}), "<path"), 0U);
  EXPECT_EQ(
      count(line_svg({.title = "t", .x_label = "x", .y_label = "y", .curves = {{"a", {{1, 2}}}}}),
            "nan"),
      0U);
}

TEST(Document, AsksForNothingWhateverItsTitle) {
  const std::string page = html({.title = kHostile, .width = 700, .main = "<p>text</p>"});
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(count(page, "&lt;script&gt;"), 2U);  // title and heading
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.find("body{max-width:700px}"), std::string::npos);
  EXPECT_LT(page.find("<h1>"), page.find("<main id=\"main\">\n<p>text</p></main>"));
}

}  // namespace
}  // namespace clipnext::page

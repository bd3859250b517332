#include "text/html.h"

#include <gtest/gtest.h>

namespace clipnext::text {
namespace {

TEST(HtmlReferences, UnescapeAsHtml5Does) {
  EXPECT_EQ(unescape_html(U"&amp;&lt;&AMP &ampfoo"), U"&<& &foo");
  EXPECT_EQ(unescape_html(U"&notit; &copycat &notin;"), U"\u00ACit; \u00A9cat \u2209");
  EXPECT_EQ(unescape_html(U"&NotEqualTilde;"), U"\u2242\u0338");
  EXPECT_EQ(unescape_html(U"&nosuchname; & &; &#; &#x; &"), U"&nosuchname; & &; &#; &#x; &");
  EXPECT_EQ(unescape_html(U"&amp\u00E9;"), U"&\u00E9;");
  EXPECT_EQ(unescape_html(U"&amp;amp;"), U"&amp;");  // one pass
}

TEST(HtmlReferences, DecodeNumbers) {
  EXPECT_EQ(unescape_html(U"&#65;&#x42;&#X43&#68x"), U"ABCDx");
  EXPECT_EQ(unescape_html(U"&#128;&#x81;&#13;"), U"\u20AC\x81\r");
  EXPECT_EQ(unescape_html(U"&#0;&#xD800;&#x110000;&#99999999999999999999;"),
            U"\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(unescape_html(U"[&#1;&#11;&#127;&#xFDD0;&#x1FFFF;]"), U"[]");
  EXPECT_EQ(unescape_html(U"&#9;&#10;&#12;&#x10FFFD;"), U"\t\n\f\U0010FFFD");
}

TEST(HtmlReferences, FtfyWantsTheSemicolon) {
  EXPECT_EQ(unescape_references(U"&amp &amp; &notit; &not;"), U"&amp & &notit; \u00AC");
  EXPECT_EQ(unescape_references(U"&#65 &#65; &#65a; &#x1;"), U"&#65 A &#65a; ");
  EXPECT_EQ(unescape_references(U"&#59;&#x3B;&semi;"), U"&#59;&#x3B;;");
}

TEST(HtmlReferences, FtfyKnowsNamesInCapitals) {
  EXPECT_EQ(unescape_references(U"&NTILDE;&SZLIG;&nTILDE;"), U"\u00D1SS&nTILDE;");
  EXPECT_EQ(unescape_references(U"&ETH;&THORN;"), U"\u00D0\u00DE");  // HTML5's own
}

TEST(HtmlReferences, FtfyTakesUpTo24Letters) {
  EXPECT_EQ(unescape_references(U"&CounterClockwiseContourIntegral;"),
            U"&CounterClockwiseContourIntegral;");
  EXPECT_EQ(unescape_html(U"&CounterClockwiseContourIntegral;"), U"\u2233");
}

}  // namespace
}  // namespace clipnext::text

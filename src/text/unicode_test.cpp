#include "text/unicode.h"

#include <gtest/gtest.h>

namespace clipnext::text {
namespace {

std::u32string nfc(std::u32string text) {
  to_nfc(text);
  return text;
}

TEST(Utf8, RoundTripsEveryScalarValue) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    const std::string bytes = to_utf8(std::u32string(1, code));
    const Utf8Step step = decode_one(bytes, 0);
    ASSERT_EQ(step.code, code);
    ASSERT_EQ(step.size, bytes.size());
  }
}

TEST(Utf8, CutsIllFormedPartsAsUnicodeRecommends) {
  const struct {
    std::string_view bytes;
    size_t size;
  } rows[] = {{"\x80", 1},         {"\xC0\x80", 1},         {"\xE0\x80\x80", 1},
              {"\xE2\x82", 2},     {"\xE2\x82!", 2},        {"\xED\xA0\x80", 1},
              {"\xF0\x9F\x98", 3}, {"\xF4\x90\x80\x80", 1}, {"\xF5\x80\x80\x80", 1}};
  for (const auto& row : rows) {
    const Utf8Step step = decode_one(row.bytes, 0);
    EXPECT_EQ(step.code, kMalformed);
    EXPECT_EQ(step.size, row.size);
  }
}

TEST(Nfc, ComposesAndOrders) {
  EXPECT_EQ(nfc(U"e\u0301"), U"\u00E9");
  EXPECT_EQ(nfc(U"q\u0301\u0323"), U"q\u0323\u0301");
  EXPECT_EQ(nfc(U"\u1100\u1161\u11A8"), U"\uAC01");
  EXPECT_EQ(nfc(U"\u212B\u212A"), U"\u00C5K");
  EXPECT_EQ(nfc(U"e\u0327\u0323\u0301"), nfc(U"e\u0301\u0323\u0327"));
}

TEST(Nfc, LeavesCompositionExclusionsApart) {
  EXPECT_EQ(nfc(U"\u0915\u093C"), U"\u0915\u093C");
  EXPECT_EQ(nfc(U"\u0958"), U"\u0915\u093C");
  EXPECT_EQ(nfc(U"\u2ADC"), U"\u2ADD\u0338");
}

TEST(Nfc, RemovesNothing) {
  EXPECT_EQ(nfc(U"a\u00AD\u200B\uFEFF\uFFFE\U000E0001b\u0301"),
            U"a\u00AD\u200B\uFEFF\uFFFE\U000E0001b\u0301");
}

TEST(Nfkc, FoldsWidth) {
  const auto nfkc = [](char32_t code) {
    std::u32string out;
    append_nfkc(out, code);
    return out;
  };
  EXPECT_EQ(nfkc(0xFF21), U"A");
  EXPECT_EQ(nfkc(0xFF76), U"\u30AB");
  EXPECT_EQ(nfkc(0xFFE3), U" \u0304");
  EXPECT_EQ(nfkc(0xFFBF), std::u32string(1, 0xFFBF));
}

TEST(Lower, MapsFully) {
  EXPECT_EQ(to_lower(U"ABC \u00C9\u0416\u1E9E"), U"abc \u00E9\u0436\u00DF");
  EXPECT_EQ(to_lower(U"\u0130"), U"i\u0307");
  EXPECT_EQ(to_lower(U"\u017F\u00DF\uFB01"), U"\u017F\u00DF\uFB01");
  EXPECT_EQ(to_lower(U"\u1C90\U00010400\u2160\u24B6"), U"\u10D0\U00010428\u2170\u24D0");
}

TEST(Lower, KnowsTheFinalSigma) {
  EXPECT_EQ(to_lower(U"\u039F\u03A3"), U"\u03BF\u03C2");
  EXPECT_EQ(to_lower(U"\u039F\u03A3\u0391"), U"\u03BF\u03C3\u03B1");
  EXPECT_EQ(to_lower(U"\u03A3"), U"\u03C3");
  EXPECT_EQ(to_lower(U"1\u03A3"), U"1\u03C3");
  EXPECT_EQ(to_lower(U"A\u0301.\u03A3'\u00AD "), U"a\u0301.\u03C2'\u00AD ");
  EXPECT_EQ(to_lower(U"A\u03A3'B"), U"a\u03C3'b");
  EXPECT_EQ(to_lower(U"\u2160\u03A3"), U"\u2170\u03C2");
  EXPECT_EQ(to_lower(U"\u02B0\u03A3"), U"\u02B0\u03C3");  // cased, but ignorable first
}

TEST(Space, IsPythons) {
  for (const char32_t c : U"\t\n\v\f\r \x1C\x1F\x85\u00A0\u1680\u2000\u200A\u2028\u205F\u3000") {
    EXPECT_TRUE(c == 0 || is_space(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'\u180E', U'\u200B', U'\u2060', U'\uFEFF', U'\x1B', U'_'}) {
    EXPECT_FALSE(is_space(c)) << static_cast<uint32_t>(c);
  }
}

}  // namespace
}  // namespace clipnext::text

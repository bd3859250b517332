#include "text/mojibake.h"

#include <gtest/gtest.h>

#include "text/badness.h"
#include "text/byte_patterns.h"
#include "text/code_pages.h"
#include "text/fix_text.h"
#include "text/unicode.h"

namespace clipnext::text {
namespace {

using namespace std::string_view_literals;

std::string repaired(std::string_view text) {
  Effort effort;
  return to_utf8(fix_encoding(to_utf32(text), effort));
}

std::string fixed(std::string_view text) { return to_utf8(fix_text(to_utf32(text))); }

TEST(Mojibake, IsRepairedThroughEveryCodePage) {
  const std::u32string original = U"\u201C\u00E9\u0436\u03B1\u732B\u201D";
  const std::string bytes = to_utf8(original);
  for (const CodePage& page : code_pages()) {
    std::u32string misread;
    for (const char byte : bytes) misread.push_back(page.high[static_cast<uint8_t>(byte) - 0x80U]);
    EXPECT_EQ(repaired(to_utf8(misread)), to_utf8(original)) << page.name;
  }
}

TEST(Mojibake, IsRepairedInPartsAndLayers) {
  EXPECT_EQ(repaired("cafÃ©"), "café");
  EXPECT_EQ(repaired("cafÃƒÂ©"), "café");
  EXPECT_EQ(repaired("\u732B cafÃ©"), "\u732B café");
  EXPECT_EQ(repaired("Ã la mode, fÃ\u00A9e"), "à la mode, fée");
}

TEST(Mojibake, LeavesGoodTextAlone) {
  for (const std::string_view text :
       {"café", "Ångström", "naïve façade", "ÀÉÎ", "Привет", "Ωμέγα", "½ cup ±2°", "«oui»"}) {
    EXPECT_FALSE(is_bad(to_utf32(text))) << text;
    EXPECT_EQ(repaired(text), text);
  }
}

TEST(Mojibake, OfC1ControlsIsWindows1252) {
  EXPECT_EQ(repaired("a\u0080b\u0081"), "a€b\u0081");
  EXPECT_EQ(repaired("\u732B\u0099"), "\u732B™");
}

TEST(Badness, AnchorsAndExceptionsHold) {
  EXPECT_TRUE(is_bad(U"\u00C3 x"));
  EXPECT_FALSE(is_bad(U"1\u00C3 x"));
  EXPECT_TRUE(is_bad(U"a\u3000\u00C2 "));
  EXPECT_FALSE(is_bad(U"A\u3000\u00C2 "));
  EXPECT_TRUE(is_bad(U"\u0153-"));
  EXPECT_FALSE(is_bad(U"\u0153u"));
  EXPECT_FALSE(is_bad(U"\u0153"));
  EXPECT_TRUE(is_bad(U"\u0413\u045E\u0412\u0402\u0412.z"));
  EXPECT_FALSE(is_bad(U"\u0413\u045E\u0412\u0402\u0412\nz"));
  EXPECT_TRUE(is_bad(U"\u00D8\u00A0\u00D9\u00B5"));
  EXPECT_FALSE(is_bad(U"\u00D8\u00A0\u00D9z"));
  EXPECT_FALSE(is_bad(U""));
}

TEST(BytePatterns, RestoreNoBreakSpaces) {
  const auto restored = [](std::string bytes) {
    restore_no_break_spaces(bytes);
    return bytes;
  };
  EXPECT_EQ(restored("\xC3 la"), "\xC3\xA0 la");
  EXPECT_EQ(restored("\xC3 s \xC3 quela"), "\xC3\xA0s \xC3\xA0quela");
  EXPECT_EQ(restored("\xE2 \x80"), "\xE2\xA0\x80");
  EXPECT_EQ(restored("\xE2 \x85"), "\xE2 \x85");
  EXPECT_EQ(restored("\xF0\x9F \x80"), "\xF0\x9F\xA0\x80");
}

TEST(BytePatterns, ReplaceLossySequences) {
  const auto replaced = [](std::string bytes) {
    replace_lossy_sequences(bytes);
    return bytes;
  };
  EXPECT_EQ(replaced("\xE2\x80\x1A\x1A"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(replaced("\xC3?\xC4?"), "\xEF\xBF\xBD\xC4?");
  EXPECT_EQ(replaced("\xE2?\x80"), "\xEF\xBF\xBD");
  EXPECT_EQ(replaced("\xED\xA0\x1A\xED\xB0\x80"), "\xEF\xBF\xBD");
}

TEST(BytePatterns, DecodeVariantsOfUtf8) {
  EXPECT_EQ(decode_utf8_variants("\xED\xA0\xBD\xED\xB8\x80"), U"\U0001F600");
  EXPECT_EQ(decode_utf8_variants("a\xC0\x80"), U"a\0"sv);
  EXPECT_EQ(decode_utf8_variants("a\xC0\n"), U"a\0"sv);
  EXPECT_EQ(decode_utf8_variants("a\xC0\nb"), std::nullopt);
  EXPECT_EQ(decode_utf8_variants("\xED\xA0\xBD"), std::nullopt);
  EXPECT_EQ(decode_utf8_variants("\xED\xB8\x80\xED\xA0\xBD"), std::nullopt);
}

TEST(FixText, RepairsCharacters) {
  EXPECT_EQ(fixed("ﬁne ĳs ŉ ǅ"), "fine ijs 'n Dž");
  EXPECT_EQ(fixed("ＬＯＵＤ　ＮＯＩＳＥＳ ｶﾞ"), "LOUD NOISES ガ");
  EXPECT_EQ(fixed("“it’s” ‚ok‛"), "\"it's\" 'ok'");
  EXPECT_EQ(fixed("a\r\nb\rc\u2028d"), "a\nb\nc\nd");
  EXPECT_EQ(fixed("\x1B[31mred\x1B[0m \x1B[0\uFEFF\x7F\u200Bz"), "red [0\u200Bz");
}

TEST(FixText, StopsDecodingReferencesAtTheFirstTag) {
  EXPECT_EQ(fixed("&amp;amp;amp;"), "&");
  EXPECT_EQ(fixed("&eacute;\n<b>&eacute;\n&eacute;"), "é\n<b>&eacute;\n&eacute;");
  EXPECT_EQ(fixed("&lt;&eacute;"), "<é");
}

TEST(FixText, StopsWhenItsEffortIsSpent) {
  Effort effort{.left = 5};
  const std::u32string text = U"\u00C3\u0192\u00C2\u00A9 \u00C3\u0192\u00C2\u00A9";
  EXPECT_EQ(fix_encoding(text, effort), U"\u00C3\u00A9 \u00C3\u00A9") << "one layer of two";
}

}  // namespace
}  // namespace clipnext::text

#include "text/badness.h"

#include "text/char_classes.h"

namespace clipnext::text {
namespace {

constexpr Classes kAccented = kLowerAccented | kUpperAccented;
constexpr Classes kPunctuation = kStartPunctuation | kEndPunctuation;
constexpr Classes kAsciiLetter = kAsciiLower | kAsciiUpper;

/// Neighbours told by class alone.
struct ClassPattern {
  Classes first;
  Classes second;
  Classes third = 0;  // 0: a pattern of two
};

constexpr ClassPattern kClassPatterns[] = {
    {kBad | kAccented | kBox | kPunctuation | kCurrency | kNumeric | kLaw, kBad},
    {kAsciiLetter, kLowerCommon | kUpperCommon, kBad},
    {kBad, kAccented | kBox | kPunctuation | kCurrency | kNumeric | kLaw},
    {kLowerAccented | kLowerCommon | kBox | kEndPunctuation | kCurrency | kNumeric, kUpperAccented},
    {kBox | kEndPunctuation | kCurrency | kNumeric, kLowerAccented},
    {kLowerAccented | kBox | kEndPunctuation, kCurrency},
    {kSpace, kUpperAccented, kCurrency},
    {kUpperAccented | kBox, kNumeric | kLaw},
    {kAccented | kBox | kCurrency | kEndPunctuation, kStartPunctuation, kNumeric},
    {kAccented | kCurrency | kNumeric | kBox | kLaw, kEndPunctuation, kStartPunctuation},
    {kCurrency | kNumeric | kBox, kStartPunctuation},
    {kAsciiLower, kUpperAccented, kStartPunctuation | kCurrency},
    {kBox, kKaomoji},
    {kAccented | kCurrency | kNumeric | kPunctuation | kLaw, kBox},
    {kBox, kEndPunctuation},
    {kAccented, kPunctuation, kWord},
};

/// Any of these characters or any character of these classes.
struct Element {
  std::u32string_view codes;
  Classes classes = 0;

  bool matches(char32_t code) const {
    return (classes_of(code) & classes) != 0 || codes.find(code) != std::u32string_view::npos;
  }
};

/// Neighbours told by character: up to five elements, the empty ones at the end ignored.
struct LiteralPattern {
  Element elements[5];
};

constexpr Classes kBetweenArabic = kCommon | kCurrency | kBad | kNumeric | kStartPunctuation;
constexpr Classes kBetweenCyrillic = kC1 | kBad | kPunctuation | kCurrency;

constexpr LiteralPattern kLiteralPatterns[] = {
    // Windows-1252: degree signs after capitals, two characters that the classes do not cover
    {{{U"", kUpperAccented}, {U"\u00B0"}}},
    {{{U"\u00C2\u00C3\u00CE\u00D0"},
      {U"\u20AC\u0153\u0160\u0161\u00A2\u00A3\u0178\u017E\u00A0\u00AD\u00AE\u00A9\u00B0\u00B7\u00BB"
       U"\u2013\u2014\u00B4",
       kPunctuation}}},
    {{{U"\u00D7"}, {U"\u00B2\u00B3"}}},
    // Windows-1252 of Arabic: four characters, as the common ones count too
    {{{U"\u00D8\u00D9"},
      {U"\u0178\u0160\u00AE\u00B0\u00B5\u00BB", kBetweenArabic},
      {U"\u00D8\u00D9"},
      {U"\u0178\u0160\u00AE\u00B0\u00B5\u00BB", kBetweenArabic}}},
    // Windows-1252 of South Asian alphabets
    {{{U"\u00E0"}, {U"\u00B2\u00B5\u00B9\u00BC\u00BD\u00BE"}}},
    // MacRoman
    {{{U"\u221A"}, {U"\u00B1\u2202\u2020\u2260\u00AE\u2122\u00B4\u2264\u2265\u00A5\u00B5\u00F8"}}},
    {{{U"\u2248"}, {U"\u00B0\u00A2"}}},
    {{{U"\u201A"},
      {U"\u00C4"},
      {U"\u00EC\u00EE\u00EF\u00F2\u00F4\u00FA\u00F9\u00FB\u2020\u00B0\u00A2\u03C0"}}},
    {{{U"\u201A"}, {U"\u00E2\u00F3"}, {U"\u00E0\u00E4\u00B0\u00EA"}}},
    // Windows-1251
    {{{U"\u0432"}, {U"\u0402"}}},
    {{{U"\u0412\u0413\u0420\u0421"},
      {U"\u00B0\u00B5", kBetweenCyrillic},
      {U"\u0412\u0413\u0420\u0421"}}},
    // Windows-1253
    {{{U"\u03B2"}, {U"\u20AC"}, {U"\u2122\u00A0\u0386\u00AD\u00AE\u00B0"}}},
    {{{U"\u0392\u0393\u039E\u039F"}, {U"\u00B0", kBetweenCyrillic}, {U"\u0392\u0393\u039E\u039F"}}},
    // Windows-1257
    {{{U"\u0101"}, {U"\u20AC"}}},
    // Windows-1252 of à, á, and of a character by itself
    {{{U"\u00C3"}, {U"\u00A0\u00A1"}}},
    {{{U".,?!", kAsciiLower | kEndPunctuation}, {U"\u00C2"}, {U" ", kPunctuation}}},
};

bool matches(const ClassPattern& pattern, Classes first, Classes second, Classes third) {
  return (first & pattern.first) != 0 && (second & pattern.second) != 0 &&
         (pattern.third == 0 || (third & pattern.third) != 0);
}

bool matches(const LiteralPattern& pattern, std::u32string_view text) {
  for (size_t i = 0; i < std::size(pattern.elements); ++i) {
    const Element& element = pattern.elements[i];
    if (element.codes.empty() && element.classes == 0) return true;
    if (i >= text.size() || !element.matches(text[i])) return false;
  }
  return true;
}

bool is_ascii_letter(char32_t code) { return (classes_of(code) & kAsciiLetter) != 0; }

/// The patterns that are neither of the above, at `at`.
bool matches_special(std::u32string_view text, size_t at) {
  const std::u32string_view rest = text.substr(at);
  // The ligature oe where no plain letter follows.
  if ((rest[0] == 0x152 || rest[0] == 0x153) && rest.size() > 1 && !is_ascii_letter(rest[1])) {
    return true;
  }
  // Windows-1251 over Latin-1 over Windows-1252, with a Latin letter or space nearby.
  constexpr std::u32string_view kTwiceMisread = U"\u0413\u045E\u0412\u0402\u0412";
  if (rest.starts_with(kTwiceMisread) && rest.size() > 6 && rest[5] != '\n' &&
      (is_ascii_letter(rest[6]) || rest[6] == ' ')) {
    return true;
  }
  // Half of a misread letter and a space, after a lower-case letter or at the very start.
  if ((rest[0] == 0xC2 || rest[0] == 0xC3) && rest.size() > 1 && rest[1] == ' ') {
    if (at == 0) return true;
    const auto is_lower = [&](size_t i) { return (classes_of(text[i]) & kAsciiLower) != 0; };
    if (is_lower(at - 1)) return true;
    return at >= 2 && (classes_of(text[at - 1]) & kSpace) != 0 && is_lower(at - 2);
  }
  return false;
}

bool is_bad_at(std::u32string_view text, size_t at) {
  const auto classes = [&](size_t i) { return i < text.size() ? classes_of(text[i]) : Classes{0}; };
  const Classes first = classes(at);
  const Classes second = classes(at + 1);
  const Classes third = classes(at + 2);
  if ((first & kC1) != 0) return true;
  for (const ClassPattern& pattern : kClassPatterns) {
    if (matches(pattern, first, second, third)) return true;
  }
  for (const LiteralPattern& pattern : kLiteralPatterns) {
    if (matches(pattern, text.substr(at))) return true;
  }
  return matches_special(text, at);
}

}  // namespace

bool is_bad(std::u32string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    // Every pattern has a character past ASCII among the first two of those tested here.
    const bool plain = text[i] < 0x80 && (i + 1 == text.size() || text[i + 1] < 0x80);
    if (!plain && is_bad_at(text, i)) return true;
  }
  return false;
}

}  // namespace clipnext::text

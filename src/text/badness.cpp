// Method: the patterns are short sequences of character sets, so all of them are followed at once
// by the Shift-And automaton: one bit for each place in each pattern, two words for them all.
#include "text/badness.h"

#include <array>
#include <cassert>
#include <cstdint>
#include <vector>

#include "text/char_classes.h"

namespace clipnext::text {
namespace {

constexpr Classes kAccented = kLowerAccented | kUpperAccented;
constexpr Classes kPunctuation = kStartPunctuation | kEndPunctuation;
constexpr Classes kAsciiLetter = kAsciiLower | kAsciiUpper;
constexpr Classes kBesideBad = kAccented | kBox | kPunctuation | kCurrency | kNumeric | kLaw;
constexpr Classes kBetweenArabic = kCommon | kCurrency | kBad | kNumeric | kStartPunctuation;
constexpr Classes kBetweenMisread = kC1 | kBad | kPunctuation | kCurrency;

/// A set of characters: those of the classes and those listed, or (`except`) all others.
struct Set {
  Classes classes = 0;
  std::u32string_view codes = {};
  bool except = false;

  bool has(char32_t code, Classes its_classes) const {
    const bool listed =
        (its_classes & classes) != 0 || codes.find(code) != std::u32string_view::npos;
    return listed != except;
  }
};

/// Neighbours that are unlikely unless text was misread.
struct Pattern {
  std::vector<Set> sets;
  bool at_start = false;  // only at the start of the text
};

std::vector<Pattern> patterns() {
  const Set half_letter = {0, U"\u00C2\u00C3"};  // what begins a misread accented letter
  const Set arabic = {0, U"\u00D8\u00D9"};
  const Set between_arabic = {kBetweenArabic, U"\u0178\u0160\u00AE\u00B0\u00B5\u00BB"};
  const Set cyrillic = {0, U"\u0412\u0413\u0420\u0421"};
  const Set greek = {0, U"\u0392\u0393\u039E\u039F"};
  return {
      {{{kC1}}},
      {{{kBad | kBesideBad}, {kBad}}},
      {{{kAsciiLetter}, {kLowerCommon | kUpperCommon}, {kBad}}},
      {{{kBad}, {kBesideBad}}},
      {{{kLowerAccented | kLowerCommon | kBox | kEndPunctuation | kCurrency | kNumeric},
        {kUpperAccented}}},
      {{{kBox | kEndPunctuation | kCurrency | kNumeric}, {kLowerAccented}}},
      {{{kLowerAccented | kBox | kEndPunctuation}, {kCurrency}}},
      {{{kSpace}, {kUpperAccented}, {kCurrency}}},
      {{{kUpperAccented | kBox}, {kNumeric | kLaw}}},
      {{{kAccented | kBox | kCurrency | kEndPunctuation}, {kStartPunctuation}, {kNumeric}}},
      {{{kAccented | kCurrency | kNumeric | kBox | kLaw}, {kEndPunctuation}, {kStartPunctuation}}},
      {{{kCurrency | kNumeric | kBox}, {kStartPunctuation}}},
      {{{kAsciiLower}, {kUpperAccented}, {kStartPunctuation | kCurrency}}},
      {{{kBox}, {kKaomoji}}},
      {{{kAccented | kCurrency | kNumeric | kPunctuation | kLaw}, {kBox}}},
      {{{kBox}, {kEndPunctuation}}},
      {{{kAccented}, {kPunctuation}, {kWord}}},
      // The ligature oe where no plain letter follows
      {{{0, U"\u0152\u0153"}, {kAsciiLetter, U"", true}}},
      // Windows-1252: degree signs after capitals, pairs that the classes do not cover
      {{{kUpperAccented}, {0, U"\u00B0"}}},
      {{{0, U"\u00C2\u00C3\u00CE\u00D0"},
        {kPunctuation,
         U"\u20AC\u0153\u0160\u0161\u00A2\u00A3\u0178\u017E\u00A0\u00AD\u00AE\u00A9\u00B0\u00B7"
         U"\u00BB\u2013\u2014\u00B4"}}},
      {{{0, U"\u00D7"}, {0, U"\u00B2\u00B3"}}},
      {{arabic, between_arabic, arabic, between_arabic}},
      {{{0, U"\u00E0"}, {0, U"\u00B2\u00B5\u00B9\u00BC\u00BD\u00BE"}}},  // South Asian alphabets
      {{{0, U"\u00C3"}, {0, U"\u00A0\u00A1"}}},
      // and of a no-break space that became a space, or of a character by itself
      {{{kAsciiLower}, half_letter, {0, U" "}}},
      {{{kAsciiLower}, {kSpace}, half_letter, {0, U" "}}},
      {{half_letter, {0, U" "}}, true},
      {{{kAsciiLower | kEndPunctuation, U".,?!"}, {0, U"\u00C2"}, {kPunctuation, U" "}}},
      // MacRoman
      {{{0, U"\u221A"},
        {0, U"\u00B1\u2202\u2020\u2260\u00AE\u2122\u00B4\u2264\u2265\u00A5\u00B5\u00F8"}}},
      {{{0, U"\u2248"}, {0, U"\u00B0\u00A2"}}},
      {{{0, U"\u201A"},
        {0, U"\u00C4"},
        {0, U"\u00EC\u00EE\u00EF\u00F2\u00F4\u00FA\u00F9\u00FB\u2020\u00B0\u00A2\u03C0"}}},
      {{{0, U"\u201A"}, {0, U"\u00E2\u00F3"}, {0, U"\u00E0\u00E4\u00B0\u00EA"}}},
      // Windows-1251
      {{{0, U"\u0432"}, {0, U"\u0402"}}},
      {{cyrillic, {kBetweenMisread, U"\u00B0\u00B5"}, cyrillic}},
      // over Latin-1 over Windows-1252, with a Latin letter or a space nearby
      {{{0, U"\u0413"},
        {0, U"\u045E"},
        {0, U"\u0412"},
        {0, U"\u0402"},
        {0, U"\u0412"},
        {0, U"\n", true},
        {kAsciiLetter, U" "}}},
      // Windows-1253
      {{{0, U"\u03B2"}, {0, U"\u20AC"}, {0, U"\u2122\u00A0\u0386\u00AD\u00AE\u00B0"}}},
      {{greek, {kBetweenMisread, U"\u00B0"}, greek}},
      // Windows-1257
      {{{0, U"\u0101"}, {0, U"\u20AC"}}},
  };
}

class Automaton {
 public:
  Automaton() {
    size_t place = 0;
    for (const Pattern& pattern : patterns()) {
      if (place / 64 != (place + pattern.sets.size() - 1) / 64) place = 64;  // keep to one word
      set(pattern.at_start ? only_at_start_ : starts_, place);
      for (const Set& its_set : pattern.sets) sets_.push_back({its_set, place++});
      set(accepts_, place - 1);
    }
    assert(place <= 128);
    for (char32_t code = 0; code < low_.size(); ++code)
      low_[code] = compute(code, classes_of(code));
    for (char32_t code = kEndOfLow; code < 0x10000; ++code) {
      const Classes classes = classes_of(code);
      if (find_high(classes) == nullptr) high_.push_back({classes, compute(code, classes)});
    }
  }

  bool finds_any(std::u32string_view text) const {
    Bits state{};
    Bits starts = {starts_[0] | only_at_start_[0], starts_[1] | only_at_start_[1]};
    for (const char32_t code : text) {
      const Bits& places = places_of(code);
      uint64_t accepted = 0;
      for (size_t word = 0; word < 2; ++word) {
        // A bit shifted in from the pattern before is one that has accepted already.
        state[word] = (state[word] << 1 | starts[word]) & places[word];
        accepted |= state[word] & accepts_[word];
      }
      if (accepted != 0) return true;
      starts = starts_;
    }
    return false;
  }

 private:
  using Bits = std::array<uint64_t, 2>;
  /// No pattern lists a character from here on, so that places depend on classes alone.
  static constexpr char32_t kEndOfLow = 0x2600;

  struct PlacedSet {
    Set set;
    size_t place;
  };
  struct ByClasses {
    Classes classes;
    Bits places;
  };

  static void set(Bits& bits, size_t place) { bits[place / 64] |= uint64_t{1} << place % 64; }

  /// The places in patterns where a character fits.
  Bits compute(char32_t code, Classes classes) const {
    Bits bits{};
    for (const PlacedSet& placed : sets_) {
      if (placed.set.has(code, classes)) set(bits, placed.place);
    }
    return bits;
  }

  const Bits& places_of(char32_t code) const {
    if (code < kEndOfLow) return low_[code];
    const ByClasses* found = find_high(classes_of(code));
    assert(found != nullptr);  // past U+FFFF there are only letters, numbers and others
    return found->places;
  }

  const ByClasses* find_high(Classes classes) const {
    for (const ByClasses& entry : high_) {
      if (entry.classes == classes) return &entry;
    }
    return nullptr;
  }

  std::vector<PlacedSet> sets_;
  std::vector<Bits> low_ = std::vector<Bits>(kEndOfLow);
  std::vector<ByClasses> high_;
  Bits starts_{};
  Bits only_at_start_{};
  Bits accepts_{};
};

}  // namespace

bool is_bad(std::u32string_view text) {
  static const Automaton automaton;
  return automaton.finds_any(text);
}

}  // namespace clipnext::text

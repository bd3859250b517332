// Method: one table-driven pass for ASCII text that no repair touches, which most captions are,
// and the reference's steps one after the other for the rest.
#include "text/clean.h"

#include <array>
#include <cstdint>

#include "base/error.h"
#include "text/fix_text.h"
#include "text/html.h"
#include "text/unicode.h"

namespace clipnext::text {
namespace {

constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What a mode makes of one character between repairs and white space; kDrop for nothing.
constexpr char32_t kDrop = 0xFFFFFFFF;

constexpr char32_t filtered(char32_t c, Clean mode) {
  const bool canonical = mode == Clean::kCanonicalize;
  if (c == '_' && (canonical || mode == Clean::kWhitespaceUnderscore)) return ' ';
  const bool punctuation =
      c < 0x80 && kPunctuation.find(static_cast<char>(c)) != std::string_view::npos;
  return canonical && punctuation ? kDrop : c;
}

constexpr bool lowers(Clean mode) { return mode == Clean::kLower || mode == Clean::kCanonicalize; }

/// What the fast pass does with a byte: write it (as itself or another), or one of these.
enum : uint8_t { kRepair = 0, kSkip = 1, kBreak = ' ' };

constexpr std::array<uint8_t, 256> make_actions(Clean mode) {
  std::array<uint8_t, 256> actions{};  // kRepair: control characters and all past ASCII
  for (const char c : {'\t', '\n', '\f', '\r'}) actions[static_cast<uint8_t>(c)] = kBreak;
  for (char32_t c = 0x20; c < 0x7F; ++c) {
    const char32_t kept = filtered(c, mode);
    const bool upper = kept >= 'A' && kept <= 'Z' && lowers(mode);
    actions[c] = kept == kDrop ? uint8_t{kSkip} : static_cast<uint8_t>(upper ? kept + 0x20 : kept);
  }
  return actions;
}

constexpr std::array<uint8_t, 256> kActions[] = {
    make_actions(Clean::kLower), make_actions(Clean::kWhitespace),
    make_actions(Clean::kWhitespaceUnderscore), make_actions(Clean::kCanonicalize)};

/// Cleans text that needs no repair into `out`; false if it may need one.
bool clean_plain(std::string_view text, Clean mode, std::string& out) {
  const std::array<uint8_t, 256>& actions = kActions[static_cast<size_t>(mode)];
  out.reserve(text.size());
  bool pending = false;  // white space seen since the last character written
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t action = actions[static_cast<uint8_t>(text[i])];
    if (action == kRepair) return false;
    // Followed by a space, an ampersand begins no reference.
    if (text[i] == '&' && i + 1 < text.size() && text[i + 1] != ' ') return false;
    if (action == kBreak) {
      pending = !out.empty();
    } else if (action != kSkip) {
      if (pending) out.push_back(' ');
      pending = false;
      out.push_back(static_cast<char>(action));
    }
  }
  return true;
}

std::u32string filter(std::u32string_view text, Clean mode) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    const char32_t kept = filtered(c, mode);
    if (kept != kDrop) out.push_back(kept);
  }
  return out;
}

std::string collapse_spaces(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  bool pending = false;
  for (const char32_t c : text) {
    if (is_space(c)) {
      pending = !out.empty();
      continue;
    }
    if (pending) out.push_back(' ');
    pending = false;
    append_utf8(out, c);
  }
  return out;
}

}  // namespace

std::string clean_text(std::string_view text, Clean mode) {
  std::string plain;
  if (clean_plain(text, mode, plain)) return plain;
  std::u32string repaired = unescape_html(unescape_html(fix_text(to_utf32(text))));
  repaired = filter(repaired, mode);
  // White space is neither cased nor ignored in case mapping, so lowering first changes nothing.
  if (lowers(mode)) repaired = to_lower(repaired);
  return collapse_spaces(repaired);
}

Clean parse_clean(std::string_view name) {
  if (name == "lower") return Clean::kLower;
  if (name == "whitespace") return Clean::kWhitespace;
  if (name == "whitespace_underscore") return Clean::kWhitespaceUnderscore;
  if (name == "canonicalize") return Clean::kCanonicalize;
  fail("text cleaning \"", name,
       "\" is unknown; there are lower, whitespace, whitespace_underscore, canonicalize");
}

}  // namespace clipnext::text

#include "text/fix_text.h"

#include <algorithm>

#include "text/code_pages.h"
#include "text/html.h"
#include "text/mojibake.h"
#include "text/unicode.h"

namespace clipnext::text {
namespace {

constexpr size_t kMaxSegment = 1'000'000;  // code points

/// The letters of a Latin ligature or digraph, empty for any other character.
std::u32string_view ligature_letters(char32_t code) {
  switch (code) {
    case 0x132:
      return U"IJ";
    case 0x133:
      return U"ij";
    case 0x149:
      return U"\u02BCn";
    case 0x1F1:
      return U"DZ";
    case 0x1F2:
      return U"Dz";
    case 0x1F3:
      return U"dz";
    case 0x1C4:
      return U"D\u017D";
    case 0x1C5:
      return U"D\u017E";
    case 0x1C6:
      return U"d\u017E";
    case 0x1C7:
      return U"LJ";
    case 0x1C8:
      return U"Lj";
    case 0x1C9:
      return U"lj";
    case 0x1CA:
      return U"NJ";
    case 0x1CB:
      return U"Nj";
    case 0x1CC:
      return U"nj";
    case 0xFB00:
      return U"ff";
    case 0xFB01:
      return U"fi";
    case 0xFB02:
      return U"fl";
    case 0xFB03:
      return U"ffi";
    case 0xFB04:
      return U"ffl";
    case 0xFB05:
      return U"\u017Ft";
    case 0xFB06:
      return U"st";
    default:
      return {};
  }
}

char32_t straight_quote(char32_t code) {
  if (code == 0x2BC || (code >= 0x2018 && code <= 0x201B)) return '\'';
  if (code >= 0x201C && code <= 0x201F) return '"';
  return code;
}

/// C1 controls, ligatures, width and quotes: what is replaced character by character, in ftfy's
/// order (the letters of U+0149 have a quote among them).
std::u32string replace_characters(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (char32_t c : text) {
    if (c >= 0x80 && c <= 0x9F) c = windows_1252(static_cast<uint8_t>(c));
    const std::u32string_view letters = ligature_letters(c);
    if (!letters.empty()) {
      for (const char32_t letter : letters) out.push_back(straight_quote(letter));
    } else if (c == 0x3000) {
      out.push_back(' ');
    } else if (c >= 0xFF01 && c <= 0xFFEF) {
      append_nfkc(out, c);  // has no quotes to straighten
    } else {
      out.push_back(straight_quote(c));
    }
  }
  return out;
}

std::u32string normalize_line_breaks(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    const bool crlf = c == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (crlf) continue;
    const bool breaks = c == '\r' || c == 0x2028 || c == 0x2029;
    out.push_back(breaks ? U'\n' : c);
  }
  return out;
}

bool is_unwanted_control(char32_t c) {
  return c < 0x09 || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
         (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

/// Length of a terminal's escape sequence at the front of `text`, `ESC [ (digit or ;)* letter`;
/// 0 if there is none.
size_t escape_sequence(std::u32string_view text) {
  if (!text.starts_with(U"\x1B[")) return 0;
  size_t i = 2;
  while (i < text.size() && (text[i] == ';' || is_decimal_digit(text[i]))) ++i;
  const bool ends =
      i < text.size() && ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z'));
  return ends ? i + 1 : 0;
}

std::u32string remove_controls(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    if (const size_t size = escape_sequence(text.substr(i))) {
      i += size;
    } else {
      if (!is_unwanted_control(text[i])) out.push_back(text[i]);
      ++i;
    }
  }
  return out;
}

std::u32string fix_segment(std::u32string text, bool references, Effort& effort) {
  for (;;) {
    std::u32string fixed = references ? unescape_references(text) : text;
    fixed = fix_encoding(std::move(fixed), effort);
    fixed = remove_controls(normalize_line_breaks(replace_characters(fixed)));
    to_nfc(fixed);
    if (fixed == text || !effort.spend(text.size())) return fixed;
    text = std::move(fixed);
  }
}

}  // namespace

std::u32string fix_text(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  Effort effort;
  bool references = true;
  while (!text.empty()) {
    size_t size = text.find(U'\n');
    size = size == std::u32string_view::npos ? text.size() : size + 1;
    const std::u32string_view segment = text.substr(0, std::min(size, kMaxSegment));
    text.remove_prefix(segment.size());
    references = references && segment.find(U'<') == std::u32string_view::npos;
    out += fix_segment(std::u32string(segment), references, effort);
  }
  return out;
}

}  // namespace clipnext::text

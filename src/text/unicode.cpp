#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cassert>
#include <iomanip>
#include <vector>

#include "base/error.h"

namespace clipnext::text {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;

int combining_class(char32_t code) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(code))->combining_class;
}

utf8proc_category_t category(char32_t code) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code));
}

/// Derived property Cased, of characters that are not Case_Ignorable too.
bool is_cased(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
      return true;
    default:  // Other_Lowercase and Other_Uppercase
      return c == 0xAA || c == 0xBA || (c >= 0x2160 && c <= 0x217F) ||
             (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
             (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
  }
}

/// Derived property Case_Ignorable, which utf8proc does not carry.
bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default: {  // Word_Break MidLetter, MidNumLet, Single_Quote
      constexpr std::u32string_view kInsideWords =
          U"'.:"
          U"\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
      return kInsideWords.find(c) != std::u32string_view::npos;
    }
  }
}

/// Whether the capital sigma at `at` ends a word.
bool is_final_sigma(std::u32string_view text, size_t at) {
  size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  size_t after = at + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]);
}

/// Appends the full decomposition of one character, canonical or (COMPAT) compatibility.
void append_decomposed(std::u32string& out, char32_t code, int options) {
  utf8proc_int32_t parts[32];  // the longest is 18, U+FDFA
  int boundary = 0;
  const utf8proc_ssize_t n =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), parts, std::ssize(parts),
                              static_cast<utf8proc_option_t>(options), &boundary);
  assert(n >= 0 && n <= std::ssize(parts));
  for (utf8proc_ssize_t i = 0; i < n; ++i) out.push_back(static_cast<char32_t>(parts[i]));
}

/// Canonical ordering: stable by combining class between starters. utf8proc's own is quadratic.
void reorder_marks(std::u32string& text) {
  const auto is_starter = [](char32_t c) { return c < 0x300 || combining_class(c) == 0; };
  for (auto it = text.begin(); it != text.end();) {
    const auto first = std::find_if_not(it, text.end(), is_starter);
    it = std::find_if(first, text.end(), is_starter);
    if (it - first > 1) {
      std::stable_sort(first, it, [](char32_t a, char32_t b) {
        return combining_class(a) < combining_class(b);
      });
    }
  }
}

void compose(std::u32string& text) {
  static_assert(sizeof(char32_t) == sizeof(utf8proc_int32_t));
  std::vector<utf8proc_int32_t> buffer(text.begin(), text.end());
  const utf8proc_ssize_t n = utf8proc_normalize_utf32(
      buffer.data(), std::ssize(buffer),
      // STABLE is what makes it plain NFC: without it composition exclusions are ignored.
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  assert(n >= 0);
  text.assign(buffer.begin(), buffer.begin() + n);
}

}  // namespace

Utf8Step decode_one(std::string_view bytes, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xC2 || lead > 0xF4) return {kMalformed, 1};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and code points past U+10FFFF.
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  char32_t code = lead & (0xFFU >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if (at + i >= bytes.size() || byte(i) < low || byte(i) > high) return {kMalformed, i};
    code = code << 6 | (byte(i) & 0x3FU);
    low = 0x80;
    high = 0xBF;
  }
  return {code, size};
}

void append_utf8(std::string& out, char32_t code) {
  const auto push = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xC0 | code >> 6);
    push(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    push(0xE0 | code >> 12);
    push(0x80 | (code >> 6 & 0x3F));
    push(0x80 | (code & 0x3F));
  } else {
    push(0xF0 | code >> 18);
    push(0x80 | (code >> 12 & 0x3F));
    push(0x80 | (code >> 6 & 0x3F));
    push(0x80 | (code & 0x3F));
  }
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

std::u32string to_utf32(std::string_view bytes) {
  std::u32string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const auto [code, size] = decode_one(bytes, at);
    if (code == kMalformed) {
      fail("text: not UTF-8 at byte ", at, " (0x", std::hex, std::uppercase, std::setw(2),
           std::setfill('0'), static_cast<int>(static_cast<unsigned char>(bytes[at])),
           "); save or convert it as UTF-8");
    }
    out.push_back(code);
    at += size;
  }
  return out;
}

bool is_letter(char32_t code) {
  const utf8proc_category_t c = category(code);
  return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

bool is_number(char32_t code) {
  const utf8proc_category_t c = category(code);
  return c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO;
}

bool is_decimal_digit(char32_t code) { return category(code) == UTF8PROC_CATEGORY_ND; }

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

void to_nfc(std::u32string& text) {
  // Below U+0300 nothing combines and everything is already composed.
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x300; })) return;
  std::u32string decomposed;
  decomposed.reserve(text.size() * 2);
  for (const char32_t c : text) {
    if (c < 0xC0) {
      decomposed.push_back(c);
    } else {
      append_decomposed(decomposed, c, UTF8PROC_DECOMPOSE);
    }
  }
  reorder_marks(decomposed);
  compose(decomposed);
  text = std::move(decomposed);
}

void append_nfkc(std::u32string& out, char32_t code) {
  std::u32string decomposed;
  append_decomposed(decomposed, code, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  reorder_marks(decomposed);
  compose(decomposed);
  out += decomposed;
}

std::u32string to_lower(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c < 0x80) {
      out.push_back(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    } else if (c == kCapitalSigma) {
      out.push_back(is_final_sigma(text, i) ? 0x3C2 : 0x3C3);
    } else if (c == 0x130) {  // the one unconditional mapping to two characters
      out += U"i\u0307";
    } else {
      out.push_back(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    }
  }
  return out;
}

}  // namespace clipnext::text

// UTF-8 and the Unicode properties the tokenizer needs, over utf8proc (Unicode 15.0).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace clipnext::text {

/// U+FFFD REPLACEMENT CHARACTER.
inline constexpr char32_t kReplacement = 0xFFFD;

/// What decode_one() reports for bytes that are not UTF-8.
inline constexpr char32_t kMalformed = 0xFFFFFFFF;

/// One code point and its length in bytes; for kMalformed the length of the ill-formed part as
/// Unicode section 3.9 cuts it (at least 1), so that a reader can go on after it.
struct Utf8Step {
  char32_t code;
  size_t size;
};

/// Decodes strictly (no surrogates, no overlong forms) at `at`, which must be below bytes.size().
Utf8Step decode_one(std::string_view bytes, size_t at);

void append_utf8(std::string& out, char32_t code);
std::string to_utf8(std::u32string_view text);
/// Throws Error naming the first byte that is not UTF-8.
std::u32string to_utf32(std::string_view bytes);

/// \p{L}
bool is_letter(char32_t code);
/// \p{N}
bool is_number(char32_t code);
/// Category Nd.
bool is_decimal_digit(char32_t code);
/// Python's str.isspace: White_Space and U+001C..001F.
bool is_space(char32_t code);

/// Normalisation form C, in time near-linear also for long runs of combining marks.
void to_nfc(std::u32string& text);
/// Appends the NFKC form of one character.
void append_nfkc(std::u32string& out, char32_t code);
/// Full lower-case mapping, locale independent, with the Final_Sigma rule (Unicode section 3.13).
std::u32string to_lower(std::u32string_view text);

}  // namespace clipnext::text

// Bytes that were UTF-8 before something damaged them a little.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clipnext::text {

/// ftfy's restore_byte_a0: byte 20 back to A0 where that makes UTF-8 of a likely character.
void restore_no_break_spaces(std::string& bytes);

/// ftfy's replace_lossy_sequences: sequences with lost bytes (1A or `?`) to U+FFFD.
void replace_lossy_sequences(std::string& bytes);

/// UTF-8, and if byte ED or C0 occurs, ftfy's "utf-8-variants": also C0 80 for U+0000 and CESU-8
/// surrogate pairs. Nothing if the bytes are something else.
std::optional<std::u32string> decode_utf8_variants(std::string_view bytes);

}  // namespace clipnext::text

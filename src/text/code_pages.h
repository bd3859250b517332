// The single-byte encodings that text is most often misread in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace clipnext::text {

/// One encoding; bytes below 80 are ASCII in all of them. "Sloppy" ones, ftfy's name, decode an
/// unassigned byte as Latin-1 does and byte 1A as U+FFFD.
struct CodePage {
  const char* name;
  bool sloppy;
  std::array<char16_t, 128> high;  // what bytes 80..FF decode to
};

/// In ftfy's order: Latin-1 first, then sloppy Windows-1252.
std::span<const CodePage> code_pages();

/// The text's bytes in a page; nothing if it has a character that the page lacks.
std::optional<std::string> encode(std::u32string_view text, const CodePage& page);

/// What byte 80..FF is in sloppy Windows-1252.
char32_t windows_1252(uint8_t byte);

}  // namespace clipnext::text

#include "text/byte_patterns.h"

#include <span>

#include "text/unicode.h"

namespace clipnext::text {
namespace {

/// Sets of bytes by one letter each.
bool byte_is(char kind, unsigned char byte) {
  const auto within = [byte](unsigned low, unsigned high) { return byte >= low && byte <= high; };
  const bool continuation = within(0x80, 0xBF);
  const bool lost = byte == 0x1A;
  switch (kind) {
    case ' ':
      return byte == ' ';
    case 'c':  // a continuation
      return continuation;
    case 'K':  // a continuation other than those of a no-break space and of an ellipsis
      return continuation && byte != 0x85 && byte != 0xA0;
    case '2':  // first bytes that make a likely character with A0
      return byte == 0xC2 || byte == 0xC3 || byte == 0xC5 || byte == 0xCE || byte == 0xD0 ||
             byte == 0xD9;
    case '3':
      return within(0xE2, 0xE3);
    case 'E':
      return within(0xE0, 0xE3);
    case '4':
      return byte == 0xF0;
    case 'x':  // first bytes of 2, 3, 4
      return within(0xC2, 0xDF);
    case 'y':
      return within(0xE0, 0xEF);
    case 'z':
      return within(0xF0, 0xF4);
    case 'l':  // first bytes of Latin-1's letters
      return within(0xC2, 0xC3);
    case 'D':  // surrogates in CESU-8
      return byte == 0xED;
    case 'h':
      return within(0xA0, 0xAF);
    case 'o':
      return within(0xB0, 0xBF);
    case '~':  // lost, surely
      return lost;
    case '?':
      return byte == '?';
    case '!':  // lost, perhaps to a question mark
      return lost || byte == '?';
    case '*':  // lost or not
      return lost || continuation;
    case '#':
      return lost || byte == '?' || continuation;
    default:
      return false;
  }
}

// In the order they are tried.
constexpr std::string_view kAltered[] = {"2 ", "3 K", "EK ", "4 cc", "4c c", "4cc "};
constexpr std::string_view kLossy[] = {"x~",  "l?",   "Dh!Do#", "Dh#Do!", "y!*",
                                       "y*!", "z!**", "z*!*",   "z**!",   "~"};

bool matches(std::string_view pattern, std::string_view bytes, size_t at) {
  if (bytes.size() - at < pattern.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (!byte_is(pattern[i], static_cast<unsigned char>(bytes[at + i]))) return false;
  }
  return true;
}

/// Length of the first pattern that matches at `at`; 0 if none does.
size_t match_any(std::span<const std::string_view> patterns, std::string_view bytes, size_t at) {
  for (const std::string_view pattern : patterns) {
    if (matches(pattern, bytes, at)) return pattern.size();
  }
  return 0;
}

/// "Ã la mode" is "à la mode", with the space kept, but not in Portuguese "às", "àquele".
std::string restore_a_grave(std::string_view bytes) {
  constexpr std::string_view kJoined[] = {" ", "quele", "quela", "quilo", "s "};
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    out.push_back(bytes[i]);
    if (!bytes.substr(i).starts_with("\xC3 ")) continue;
    bool word = true;
    for (const std::string_view joined : kJoined) {
      word = word && !bytes.substr(i + 2).starts_with(joined);
    }
    if (word) out.push_back('\xA0');
  }
  return out;
}

/// The six bytes of a surrogate pair in CESU-8 at `at`, as the code point they stand for.
std::optional<char32_t> cesu8_pair(std::string_view bytes, size_t at) {
  if (!matches("DhcDoc", bytes, at)) return std::nullopt;
  const auto bits = [&](size_t i, unsigned mask) -> char32_t {
    return static_cast<unsigned char>(bytes[at + i]) & mask;
  };
  return 0x10000 + (bits(1, 0x0F) << 16) + (bits(2, 0x3F) << 10) + (bits(4, 0x0F) << 6) +
         bits(5, 0x3F);
}

/// Java's two-byte U+0000. ftfy also takes C0 and a line feed at the very end for one: its pattern
/// ends in `$`, which matches before a last line feed.
bool is_java_null(std::string_view bytes, size_t at) {
  const std::string_view rest = bytes.substr(at);
  return rest.starts_with("\xC0\x80") || rest == "\xC0\n";
}

}  // namespace

void restore_no_break_spaces(std::string& bytes) {
  if (bytes.find(' ') == std::string::npos) return;
  bool altered = false;
  for (size_t i = 0; i < bytes.size() && !altered; ++i) altered = match_any(kAltered, bytes, i) > 0;
  if (!altered) return;
  bytes = restore_a_grave(bytes);
  for (size_t i = 0; i < bytes.size();) {
    const size_t size = match_any(kAltered, bytes, i);
    for (size_t j = i; j < i + size; ++j) {
      if (bytes[j] == ' ') bytes[j] = '\xA0';
    }
    i += size > 0 ? size : 1;
  }
}

void replace_lossy_sequences(std::string& bytes) {
  if (bytes.find_first_of("\x1A?") == std::string::npos) return;
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    const size_t size = match_any(kLossy, bytes, i);
    if (size > 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out.push_back(bytes[i]);
    }
    i += size > 0 ? size : 1;
  }
  bytes = std::move(out);
}

std::optional<std::u32string> decode_utf8_variants(std::string_view bytes) {
  std::u32string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const auto [code, size] = decode_one(bytes, at);
    if (code != kMalformed) {
      out.push_back(code);
      at += size;
    } else if (is_java_null(bytes, at)) {
      out.push_back(0);
      at += 2;
    } else if (const std::optional<char32_t> pair = cesu8_pair(bytes, at)) {
      out.push_back(*pair);
      at += 6;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace clipnext::text

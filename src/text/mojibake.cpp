// Method: where the badness heuristic fires, undo the wrong decoding (text to bytes in some
// single-byte page, bytes to text as UTF-8), for the whole text or else for parts of it.
#include "text/mojibake.h"

#include <algorithm>
#include <optional>

#include "text/badness.h"
#include "text/byte_patterns.h"
#include "text/char_classes.h"
#include "text/code_pages.h"

namespace clipnext::text {
namespace {

bool is_c1(char32_t code) { return code >= 0x80 && code <= 0x9F; }

/// The text read back as UTF-8 through one page.
std::optional<std::u32string> reread(std::u32string_view text, const CodePage& page) {
  std::optional<std::string> bytes = encode(text, page);
  if (!bytes) return std::nullopt;
  // In MacRoman an en dash and a space would look like such a sequence.
  if (std::string_view(page.name) != "macroman") restore_no_break_spaces(*bytes);
  if (page.sloppy) replace_lossy_sequences(*bytes);
  return decode_utf8_variants(*bytes);
}

/// Length of the longest run of what may be misread UTF-8 sequences at `at`, 0 if there is none.
size_t sequences_at(std::u32string_view text, size_t at) {
  const auto is = [&](size_t i, Classes classes) {
    return i < text.size() && (classes_of(text[i]) & classes) != 0;
  };
  const auto continues = [&](size_t first, size_t count) {
    for (size_t i = first; i < first + count; ++i) {
      if (!is(i, kContinuation)) return false;
    }
    return true;
  };
  const size_t start = at;
  for (;;) {
    if (is(at, kFirstOf2) && continues(at + 1, 1)) {
      at += 2;
    } else if (is(at, kFirstOf3) && continues(at + 1, 2)) {
      at += 3;
    } else if (is(at, kFirstOf4) && continues(at + 1, 3)) {
      at += 4;
    } else {
      return at - start;
    }
  }
}

/// Repairs runs of misread sequences one by one, for text that is misread only in part.
std::u32string fix_parts(std::u32string_view text, Effort& effort) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    const Classes before = at == 0 ? 0 : classes_of(text[at - 1]);
    const bool inside = (before & kContinuation) != 0 && (before & kPlainContinuation) == 0;
    const size_t size = inside ? 0 : sequences_at(text, at);
    const std::u32string_view part = text.substr(at, std::max<size_t>(size, 1));
    at += part.size();
    // A part as long as the text would go round for ever.
    if (size > 0 && size < text.size() && is_bad(part)) {
      out += fix_encoding(std::u32string(part), effort);
    } else {
      out += part;
    }
  }
  return out;
}

/// Latin-1's C1 controls as the Windows-1252 characters they were meant to be.
std::u32string fix_c1(std::u32string text) {
  for (char32_t& c : text) {
    if (is_c1(c)) c = windows_1252(static_cast<uint8_t>(c));
  }
  return text;
}

std::u32string fix_step(std::u32string text, Effort& effort) {
  if (!is_bad(text)) return text;  // never is for ASCII
  for (const CodePage& page : code_pages()) {
    if (std::optional<std::u32string> fixed = reread(text, page)) return *fixed;
  }
  std::u32string fixed = fix_parts(text, effort);
  if (fixed != text) return fixed;
  // ftfy's last two repairs, Latin-1 meant as strict Windows-1252 and single C1 controls, give
  // the same text whenever both apply.
  return fix_c1(std::move(text));
}

}  // namespace

std::u32string fix_encoding(std::u32string text, Effort& effort) {
  for (;;) {
    std::u32string fixed = fix_step(text, effort);
    if (fixed == text || !effort.spend(text.size())) return fixed;
    text = std::move(fixed);
  }
}

}  // namespace clipnext::text

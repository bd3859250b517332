#include "text/pieces.h"

#include "text/unicode.h"

namespace clipnext::text {
namespace {

constexpr std::string_view kContractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
constexpr std::string_view kSpecials[] = {kStartName, kEndName};

/// COMBINING GREEK YPOGEGRAMMENI, no letter, folds to a letter. In the reference's case-insensitive
/// sets it therefore belongs neither to the letters nor to what is none: it is passed over.
constexpr char32_t kYpogegrammeni = 0x345;
/// LATIN SMALL LETTER LONG S, the one character past ASCII that case folding takes to a literal's.
constexpr std::string_view kLongS = "\u017F";

bool is_ascii_letter(unsigned char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

}  // namespace

PieceReader::Char PieceReader::char_at(size_t at) const {
  const auto byte = static_cast<unsigned char>(text_[at]);
  if (byte < 0x80) {
    if (is_ascii_letter(byte)) return {Kind::kLetter, 1};
    if (byte >= '0' && byte <= '9') return {Kind::kNumber, 1};
    return {is_space(byte) ? Kind::kNone : Kind::kOther, 1};
  }
  const auto [code, size] = decode_one(text_, at);
  if (is_letter(code)) return {Kind::kLetter, size};
  if (is_number(code)) return {Kind::kNumber, size};
  return {is_space(code) || code == kYpogegrammeni ? Kind::kNone : Kind::kOther, size};
}

/// Length of `literal` (ASCII, lower case) here in any case; 0 if it is not here.
size_t PieceReader::match_literal(std::string_view literal) const {
  size_t at = at_;
  for (const char wanted : literal) {
    if (at >= text_.size()) return 0;
    const char c = text_[at];
    const bool upper = c >= 'A' && c <= 'Z';
    if ((upper ? static_cast<char>(c + ('a' - 'A')) : c) == wanted) {
      ++at;
    } else if (wanted == 's' && text_.substr(at).starts_with(kLongS)) {
      at += kLongS.size();
    } else {
      return 0;
    }
  }
  return at - at_;
}

size_t PieceReader::match_any_literal() const {
  if (text_[at_] == '<') {
    for (const std::string_view special : kSpecials) {
      if (const size_t size = match_literal(special)) return size;
    }
  }
  if (text_[at_] == '\'') {
    for (const std::string_view contraction : kContractions) {
      if (const size_t size = match_literal(contraction)) return size;
    }
  }
  return 0;
}

/// Length of the run that begins here with `first`.
size_t PieceReader::run_length(Char first) const {
  size_t size = first.size;
  if (first.kind == Kind::kNumber) return size;
  while (at_ + size < text_.size()) {
    const Char c = char_at(at_ + size);
    if (c.kind != first.kind) break;
    size += c.size;
  }
  return size;
}

std::optional<std::string_view> PieceReader::next() {
  while (at_ < text_.size()) {
    size_t size = match_any_literal();
    if (size == 0) {
      const Char first = char_at(at_);
      if (first.kind == Kind::kNone) {
        at_ += first.size;
        continue;
      }
      size = run_length(first);
    }
    const std::string_view piece = text_.substr(at_, size);
    at_ += size;
    return piece;
  }
  return std::nullopt;
}

}  // namespace clipnext::text

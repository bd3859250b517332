#include "text/html.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "text/code_pages.h"
#include "text/unicode.h"

// html_entities.tsv, made by tools/make_text_tables.py: name, value, and where ftfy knows the name
// in capitals too, the value in capitals. Values are code points in hex, separated by spaces.
extern "C" const unsigned char clipnext_asset_html_entities[];
extern "C" const unsigned char clipnext_asset_html_entities_end[];

namespace clipnext::text {
namespace {

constexpr size_t kMaxHtmlName = 32;  // before the `;`
constexpr size_t kMaxFtfyName = 24;

struct Entity {
  std::string name;  // without the `&`
  std::u32string value;
};

/// Sorted by name.
using Entities = std::vector<Entity>;

std::u32string parse_code_points(std::string_view hex) {
  std::u32string out;
  const char* at = hex.data();
  const char* const end = at + hex.size();
  while (at < end) {
    uint32_t code = 0;
    at = std::from_chars(at, end, code, 16).ptr + 1;
    out.push_back(code);
  }
  return out;
}

std::string_view take_until(std::string_view& text, char separator) {
  const size_t n = std::min(text.find(separator), text.size());
  const std::string_view head = text.substr(0, n);
  text.remove_prefix(std::min(n + 1, text.size()));
  return head;
}

struct EntityTables {
  Entities html5;    // names as they are, most with `;`
  Entities shouted;  // names in capitals that html5 lacks, all with `;`

  EntityTables() {
    const char* const first = reinterpret_cast<const char*>(clipnext_asset_html_entities);
    const char* const last = reinterpret_cast<const char*>(clipnext_asset_html_entities_end);
    std::string_view rows(first, static_cast<size_t>(last - first));
    while (!rows.empty()) {
      std::string_view row = take_until(rows, '\n');
      std::string name(take_until(row, '\t'));
      html5.push_back({name, parse_code_points(take_until(row, '\t'))});
      if (row.empty()) continue;
      for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
      shouted.push_back({name, parse_code_points(row)});
    }
    for (Entities* table : {&html5, &shouted}) {
      std::sort(table->begin(), table->end(),
                [](const Entity& a, const Entity& b) { return a.name < b.name; });
    }
  }
};

const EntityTables& entities() {
  static const EntityTables tables;
  return tables;
}

const Entity* find(const Entities& table, std::string_view name) {
  const auto it = std::lower_bound(
      table.begin(), table.end(), name,
      [](const Entity& entity, std::string_view wanted) { return entity.name < wanted; });
  return it != table.end() && it->name == name ? &*it : nullptr;
}

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_ascii_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Value of a digit in base 10 or 16, or -1.
int digit_value(char32_t c, int base) {
  if (is_digit(c)) return static_cast<int>(c - '0');
  if (base == 16 && c >= 'a' && c <= 'f') return static_cast<int>(c - 'a') + 10;
  if (base == 16 && c >= 'A' && c <= 'F') return static_cast<int>(c - 'A') + 10;
  return -1;
}

/// What a numeric reference stands for in HTML5; 0 for nothing at all.
char32_t numeric_value(char32_t code) {
  if (code == 0) return kReplacement;
  if (code == 0x0D) return code;
  if (code >= 0x80 && code <= 0x9F) return windows_1252(static_cast<uint8_t>(code));
  if ((code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return kReplacement;
  const bool control = code < 0x20 && code != '\t' && code != '\n' && code != '\f';
  const bool noncharacter = (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
  return control || code == 0x7F || noncharacter ? 0 : code;
}

/// A reference found in text: where it ends and what replaces it.
struct Reference {
  size_t end;
  std::u32string value;
};

/// `#` digits or `#x` hexdigits, with or without `;`, at `at` (the `#`).
std::optional<Reference> numeric_reference(std::u32string_view text, size_t at) {
  size_t i = at + 1;
  const bool hex = i < text.size() && (text[i] == 'x' || text[i] == 'X');
  const int base = hex ? 16 : 10;
  if (hex) ++i;
  const size_t first = i;
  char32_t code = 0;
  for (int digit = 0; i < text.size() && (digit = digit_value(text[i], base)) >= 0; ++i) {
    code = std::min<char32_t>(code * static_cast<char32_t>(base) + static_cast<char32_t>(digit),
                              0x110000);
  }
  if (i == first) return std::nullopt;
  if (i < text.size() && text[i] == ';') ++i;
  const char32_t value = numeric_value(code);
  return Reference{i, value == 0 ? std::u32string() : std::u32string(1, value)};
}

/// A named reference by the HTML5 rules at `at`, the character after the `&`.
std::optional<Reference> html_named_reference(std::u32string_view text, size_t at) {
  constexpr std::u32string_view kNotInNames = U"\t\n\f <&#;";
  size_t end = at;
  while (end < text.size() && end - at < kMaxHtmlName &&
         kNotInNames.find(text[end]) == std::u32string_view::npos) {
    ++end;
  }
  const bool closed = end > at && end < text.size() && text[end] == ';';
  std::string name;
  for (size_t i = at; i < end + (closed ? 1 : 0) && text[i] < 0x80; ++i) {
    name.push_back(static_cast<char>(text[i]));
  }
  // The whole name, or else the longest prefix of two characters or more that is known.
  for (size_t n = name.size(); n >= 2; --n) {
    const Entity* entity = find(entities().html5, std::string_view(name).substr(0, n));
    if (entity != nullptr) return Reference{at + n, entity->value};
  }
  return std::nullopt;
}

/// A reference as ftfy's `&#?[0-9A-Za-z]{1,24};` finds it, at `at`, the character after the `&`.
std::optional<Reference> ftfy_reference(std::u32string_view text, size_t at) {
  const bool numeric = at < text.size() && text[at] == '#';
  const size_t first = numeric ? at + 1 : at;
  size_t end = first;
  while (end < text.size() && end - first < kMaxFtfyName &&
         (is_digit(text[end]) || is_ascii_letter(text[end]))) {
    ++end;
  }
  if (end == first || end >= text.size() || text[end] != ';') return std::nullopt;
  ++end;
  if (numeric) {
    auto reference = numeric_reference(text, at);
    // ftfy takes a `;` in the result for a sign that not all was decoded, `&#59;` included.
    const bool whole = reference && reference->end == end && reference->value != U";";
    return whole ? reference : std::nullopt;
  }
  const std::string name(text.begin() + static_cast<std::ptrdiff_t>(first),
                         text.begin() + static_cast<std::ptrdiff_t>(end));
  const Entity* entity = find(entities().html5, name);
  if (entity == nullptr) entity = find(entities().shouted, name);
  if (entity == nullptr) return std::nullopt;
  return Reference{end, entity->value};
}

template <class FindReference>
std::u32string replace_references(std::u32string_view text, FindReference&& find_reference) {
  std::u32string out;
  out.reserve(text.size());
  size_t at = 0;
  for (;;) {
    const size_t ampersand = std::min(text.find(U'&', at), text.size());
    out += text.substr(at, ampersand - at);
    if (ampersand == text.size()) return out;
    if (const std::optional<Reference> reference = find_reference(text, ampersand + 1)) {
      out += reference->value;
      at = reference->end;
    } else {
      out.push_back('&');
      at = ampersand + 1;
    }
  }
}

}  // namespace

std::u32string unescape_references(std::u32string_view text) {
  return replace_references(text, ftfy_reference);
}

std::u32string unescape_html(std::u32string_view text) {
  return replace_references(text, [](std::u32string_view all, size_t at) {
    const bool numeric = at < all.size() && all[at] == '#';
    return numeric ? numeric_reference(all, at) : html_named_reference(all, at);
  });
}

}  // namespace clipnext::text

#include "package/markdown.h"

#include <algorithm>
#include <cstdint>

#include "page/markup.h"
#include "text/unicode.h"

namespace clipnext::package {
namespace {

constexpr size_t kMostBytes = 300;

// Control characters, marks of direction, zero widths, tags, and what is no character.
bool is_hidden(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || code == 0x61C ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || (code & 0xFFFE) == 0xFFFE ||
         (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE0FFF);
}

// All ASCII punctuation but what no Markdown begins with, as numbers: those are never markup.
std::string entities(std::string_view line) {
  constexpr std::string_view kPlain = ",'()-/=%;+ ";
  std::string out;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (byte >= 0x80 || letter || kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += "&#" + std::to_string(int{byte}) + ";";
    }
  }
  return out;
}

size_t longest_run(std::string_view text, char c) {
  size_t longest = 0;
  size_t run = 0;
  for (const char each : text) {
    run = each == c ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  bool space = false;
  for (size_t at = 0; at < text.size() && line.size() <= kMostBytes;) {
    const auto [code, size] = text::decode_one(text, at);
    at += size;
    if (code != text::kMalformed && text::is_space(code)) {
      space = !line.empty();
      continue;
    }
    if (space) line += ' ';
    space = false;
    text::append_utf8(line,
                      code == text::kMalformed || is_hidden(code) ? text::kReplacement : code);
  }
  return page::shortened(line, kMostBytes);
}

std::string prose(std::string_view text) {
  // A full stop between letters or digits is read more often than it begins a link; the colon and
  // the at sign, without which there is none, are numbers.
  std::string out = entities(one_line(text));
  for (const auto& [number, plain] : {std::pair("&#46;", "."), {"&#95;", "\\_"}}) {
    const std::string_view from = number;
    for (size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + 1)) {
      out.replace(at, from.size(), plain);
    }
  }
  // GitHub makes a link of this too.
  for (size_t at = out.find("www."); at != std::string::npos; at = out.find("www.", at + 1)) {
    out.replace(at + 3, 1, "&#46;");
  }
  return out;
}

std::string code(std::string_view text) {
  const std::string line = one_line(text);
  if (line.empty()) return "";
  // A table is cut at each bar before code spans are looked for.
  if (line.find_first_of("|\\") != std::string::npos) return "<code>" + entities(line) + "</code>";
  const std::string fence(longest_run(line, '`') + 1, '`');
  const bool touches = line.front() == '`' || line.back() == '`';
  const char* pad = touches ? " " : "";
  return fence + pad + line + pad + fence;
}

std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows, bool numbers) {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string text = "|";
    for (const std::string& cell : cells) text += " " + cell + " |";
    return text + "\n";
  };
  std::string text = line(head) + "|";
  for (size_t i = 0; i < head.size(); ++i) text += numbers && i > 0 ? "---:|" : "---|";
  text += "\n";
  for (const auto& row : rows) text += line(row);
  return text;
}

}  // namespace clipnext::package

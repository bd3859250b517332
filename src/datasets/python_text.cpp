#include "datasets/python_text.h"

#include <algorithm>

#include "base/error.h"
#include "text/unicode.h"

namespace clipnext::datasets {
namespace {

bool is_line_end(char32_t code) {
  return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
         code == 0x2028 || code == 0x2029;
}

}  // namespace

std::vector<std::string> python_lines(std::string_view text, const std::string& where) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const text::Utf8Step step = text::decode_one(text, at);
    require(step.code != text::kMalformed, where, ": is not UTF-8 at byte ", at);
    const size_t end = at;
    at += step.size;
    if (!is_line_end(step.code)) continue;
    if (step.code == U'\r' && at < text.size() && text[at] == '\n') ++at;
    lines.emplace_back(text.substr(begin, end - begin));
    begin = at;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::string_view python_strip(std::string_view text) {
  size_t begin = text.size();
  size_t end = 0;
  for (size_t at = 0; at < text.size();) {
    const text::Utf8Step step = text::decode_one(text, at);
    if (!text::is_space(step.code)) {
      begin = std::min(begin, at);
      end = at + step.size;
    }
    at += step.size;
  }
  return begin < end ? text.substr(begin, end - begin) : std::string_view();
}

}  // namespace clipnext::datasets

#include "data/member_name.h"

#include <string_view>

namespace clipnext::data {

std::optional<MemberName> split_member_name(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t base = slash == std::string::npos ? 0 : slash + 1;
  const size_t dot = name.find('.', base);
  if (dot == std::string::npos || dot == base) return std::nullopt;
  const std::string_view first = std::string_view(name).substr(0, name.find('/'));
  if (first.size() >= 4 && first.starts_with("__") && first.ends_with("__")) return std::nullopt;
  std::string part = name.substr(dot + 1);
  for (char& c : part) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return MemberName{.key = name.substr(0, dot), .part = std::move(part)};
}

}  // namespace clipnext::data

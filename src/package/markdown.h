// Texts from outside in Markdown and in the YAML before it, as nothing but text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clipnext::package {

/// On one line, at most about 300 bytes, and readable as it looks: runs of white space become a
/// space; what is not UTF-8, control characters and those that are invisible or turn the direction
/// of writing become U+FFFD.
std::string one_line(std::string_view text);

/// one_line as prose: no character of it is markup, HTML or a link, also within a table.
std::string prose(std::string_view text);

/// one_line as a code span, which shows it verbatim, also within a table.
std::string code(std::string_view text);

/// A table; cells are Markdown (prose, code, numbers). The first column stands left, others right
/// if `numbers`.
std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows, bool numbers);

}  // namespace clipnext::package

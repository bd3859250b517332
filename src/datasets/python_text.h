// Text as Python cuts it, where the reference leaves a rule to Python.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clipnext::datasets {

/// str.splitlines: LF, CR LF, CR, and also vertical tab, form feed, U+001C to U+001E, U+0085,
/// U+2028 and U+2029. A byte order mark at the beginning is dropped. Throws Error that begins with
/// `where` if the text is not UTF-8.
std::vector<std::string> python_lines(std::string_view text, const std::string& where);

/// str.strip of a text in UTF-8.
std::string_view python_strip(std::string_view text);

}  // namespace clipnext::datasets

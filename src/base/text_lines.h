// Text files as lists: one item a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clipnext {

/// The lines of a text, without their ends (LF or CRLF); a last line needs no end, and a byte order
/// mark at the beginning is dropped.
std::vector<std::string> split_lines(std::string_view text);

/// `text` without white space at both ends.
std::string_view trim(std::string_view text);

/// split_lines, each trimmed, empty ones left out: label and template files.
std::vector<std::string> split_items(std::string_view text);

}  // namespace clipnext

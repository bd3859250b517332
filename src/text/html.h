// HTML character references in text, two ways: as ftfy replaces them and as Python's html does.
#pragma once

#include <string>
#include <string_view>

namespace clipnext::text {

/// ftfy's "unescape_html" step, one pass: only references that end in `;`, and upper-cased names
/// such as `&NTILDE;` as well.
std::u32string unescape_references(std::u32string_view text);

/// html.unescape of Python: the HTML5 rules, where `&ampfoo` is `&foo` and `&notit;` is `¬it;`.
std::u32string unescape_html(std::u32string_view text);

}  // namespace clipnext::text

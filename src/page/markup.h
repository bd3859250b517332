// Text and numbers in HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace clipnext::page {

/// Text that shows as itself, also within a quoted attribute: class names and file names come from
/// outside. What XML has no place for (control characters) becomes U+FFFD.
std::string escape(std::string_view text);

/// escape(text) isolated, so that names in scripts written from right to left leave what stands
/// beside them in place.
std::string escape_name(std::string_view text);

/// With so many digits after the point.
std::string fixed(double value, int digits);

/// 0.7685 to "76.85 %", whose space does not break.
std::string percent(double share, int digits = 2);

/// Of at most `most` bytes or so, cut in the middle of nothing but between characters.
std::string shortened(std::string_view text, size_t most);

std::string base64(std::string_view bytes);

}  // namespace clipnext::page

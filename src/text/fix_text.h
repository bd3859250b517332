// The repairs of ftfy.fix_text with its default options.
#pragma once

#include <string>
#include <string_view>

namespace clipnext::text {

/// ftfy 6.3.1's fix_text(): character references, mojibake, ligatures, full-width forms, curly
/// quotes, line breaks, control characters, NFC. Line by line; references are left alone from the
/// first line on that has a `<`, as the text may be HTML. Time is bounded (see Effort).
std::u32string fix_text(std::u32string_view text);

}  // namespace clipnext::text

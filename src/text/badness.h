// Does a text look like UTF-8 that was decoded in the wrong encoding?
#pragma once

#include <string_view>

namespace clipnext::text {

/// ftfy 6.3.1's is_bad(): whether any of its patterns of unlikely neighbours occurs.
bool is_bad(std::u32string_view text);

}  // namespace clipnext::text

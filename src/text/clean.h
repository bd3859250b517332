// Text as open_clip cleans it before tokenizing.
#pragma once

#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace clipnext::text {

/// fix_text, HTML unescaping twice, then what `mode` says of case, punctuation and white space.
/// Returns UTF-8 whose only white space is single U+0020 between words. Throws Error on bytes that
/// are not UTF-8.
std::string clean_text(std::string_view text, Clean mode);

}  // namespace clipnext::text

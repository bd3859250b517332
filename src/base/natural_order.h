// The order people expect of names with numbers in them: img2 before img10.
#pragma once

#include <string_view>

namespace clipnext {

/// Whether a comes before b: runs of ASCII digits compare by value (of any length), everything else
/// byte by byte; names that differ only in leading zeros compare as bytes. A strict total order.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace clipnext

// JSON as Python's json module writes and reads it, which is where the files of an evaluation come
// from and go to: a space after commas and colons, ASCII only, and NaN as a bare word.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace clipnext {

/// json.dumps(value), byte for byte: the shortest number that reads back, 1.0 for a float that is
/// whole, NaN and Infinity bare. With `strict` those become null, as JSON has no such words. Bytes
/// that are not UTF-8 become U+FFFD.
std::string python_json(const OrderedJson& value, bool strict = false);

/// repr() of a float.
std::string python_float(double value);

/// parse_json of a text in which numbers may also be NaN, Infinity and -Infinity; members in the
/// order of their names. Throws Error naming `source`.
OrderedJson parse_python_json(std::string_view text, const std::string& source);

/// A float as the shortest decimal that reads back as it, so that JSON shows 0.1 and not
/// 0.10000000149011612.
double shortest_decimal(float value);

}  // namespace clipnext

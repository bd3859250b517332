// Parsing of JSON that comes from outside.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace clipnext {

using Json = nlohmann::json;
/// Keeps the order of members, for files people read.
using OrderedJson = nlohmann::ordered_json;

/// Parses one JSON text. Throws Error naming `source` for anything that is not JSON in UTF-8, and
/// for nesting deeper than 64 (a bound on the stack, and no file of ours comes near it). Of members
/// with the same name the last counts; with `unique_members` they are an Error.
Json parse_json(std::string_view text, const std::string& source, bool unique_members = false);

/// The same with members in the text's order.
OrderedJson parse_ordered_json(std::string_view text, const std::string& source);

}  // namespace clipnext

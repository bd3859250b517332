#include "base/json.h"

#include <algorithm>
#include <set>
#include <vector>

#include "base/error.h"

namespace clipnext {
namespace {

/// "line 3, column 7" of a byte, counted from 1.
std::string place(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - begin + 1);
}

template <class AnyJson>
AnyJson parse(std::string_view text, const std::string& source, bool unique_members) {
  constexpr int kMaxDepth = 64;
  std::vector<std::set<std::string>> members;  // of the objects around the current place
  const auto check = [&](int depth, typename AnyJson::parse_event_t event, AnyJson& value) {
    require(depth <= kMaxDepth, source, ": JSON nested deeper than ", kMaxDepth);
    if (!unique_members) return true;
    if (event == AnyJson::parse_event_t::object_start) members.emplace_back();
    if (event == AnyJson::parse_event_t::object_end) members.pop_back();
    if (event == AnyJson::parse_event_t::key) {
      const auto& name = value.template get_ref<const std::string&>();
      require(members.back().insert(name).second, source, ": \"", name, "\" stands there twice");
    }
    return true;
  };
  try {
    return AnyJson::parse(text.begin(), text.end(), check);
  } catch (const typename AnyJson::parse_error& e) {
    fail(source, ": not valid JSON at ", place(text, e.byte));
  } catch (const typename AnyJson::exception&) {
    fail(source, ": not valid JSON: a number in it is out of range");
  }
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source, bool unique_members) {
  return parse<Json>(text, source, unique_members);
}

OrderedJson parse_ordered_json(std::string_view text, const std::string& source) {
  return parse<OrderedJson>(text, source, false);
}

}  // namespace clipnext

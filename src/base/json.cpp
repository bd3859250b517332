#include "base/json.h"

#include <set>
#include <vector>

#include "base/error.h"

namespace clipnext {

Json parse_json(std::string_view text, const std::string& source, bool unique_members) {
  constexpr int kMaxDepth = 64;
  std::vector<std::set<std::string>> members;  // of the objects around the current place
  const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    require(depth <= kMaxDepth, source, ": JSON nested deeper than ", kMaxDepth);
    if (!unique_members) return true;
    if (event == Json::parse_event_t::object_start) members.emplace_back();
    if (event == Json::parse_event_t::object_end) members.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& name = value.get_ref<const std::string&>();
      require(members.back().insert(name).second, source, ": \"", name, "\" stands there twice");
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const Json::exception& e) {
    fail(source, ": not valid JSON: ", e.what());
  }
}

}  // namespace clipnext

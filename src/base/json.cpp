#include "base/json.h"

#include "base/error.h"

namespace clipnext {

Json parse_json(std::string_view text, const std::string& source) {
  constexpr int kMaxDepth = 64;
  const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
    require(depth <= kMaxDepth, source, ": JSON nested deeper than ", kMaxDepth);
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), limit_depth);
  } catch (const Json::exception& e) {
    fail(source, ": not valid JSON: ", e.what());
  }
}

}  // namespace clipnext

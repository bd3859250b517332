// Reading the members of a JSON object one by one, collecting everything that is wrong with it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace clipnext::model {

/// What is wrong with a configuration, found one by one, reported together.
class Problems {
 public:
  void add(std::string problem) { list_.push_back(std::move(problem)); }
  bool empty() const { return list_.empty(); }
  /// Throws Error "SOURCE: first; second; ..." if there are any.
  void raise(const std::string& source) const;

 private:
  std::vector<std::string> list_;
};

/// One JSON object being read. A member that is absent or null takes its default; one of the wrong
/// type or outside its range is a problem, and the default stands in for it. finish() makes a
/// problem of every member that nobody asked for.
class Fields {
 public:
  /// path: where the object stands, "vision_cfg." or empty. `object` may be null: all defaults.
  Fields(const Json* object, std::string path, Problems& problems);

  bool has(const std::string& key);
  bool has_null(const std::string& key);
  int64_t integer(const std::string& key, int64_t fallback, int64_t low, int64_t high);
  double number(const std::string& key, double fallback, double low, double high);
  bool boolean(const std::string& key, bool fallback);
  std::string text(const std::string& key, const std::string& fallback);
  /// The index of the member's text among `choices`, else a problem that lists them.
  size_t choice(const std::string& key, const std::vector<std::string>& choices, size_t fallback);
  /// A list of `count` whole numbers; nullopt where absent or wrong.
  std::optional<std::vector<int64_t>> integers(const std::string& key, size_t count, int64_t low,
                                               int64_t high);
  /// The member, marked as asked for; null where absent.
  const Json* member(const std::string& key);

  /// Members that this program knows but computes at one value only: any other is a problem.
  void only(const std::string& key, const Json& value);
  void only(std::initializer_list<std::pair<const char*, Json>> members);
  /// Members without effect here.
  void ignore(std::initializer_list<const char*> keys);

  void problem(const std::string& key, const std::string& text);
  void finish();

 private:
  const Json* object_;
  std::string path_;
  Problems& problems_;
  std::set<std::string> seen_;
};

/// A value from outside, cut short, for messages.
std::string show(const Json& value);

}  // namespace clipnext::model

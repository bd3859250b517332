// Members of JSON objects from outside, checked for their kind.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace clipnext::eval {

/// The member `name`. This and the following throw Error that begins with `source` and says what is
/// missing or of the wrong kind.
inline const OrderedJson& member(const OrderedJson& object, const char* name,
                                 const std::string& source) {
  require(object.is_object() && object.contains(name), source, ": no \"", name, "\" in it");
  return object.at(name);
}

inline std::string text_member(const OrderedJson& object, const char* name,
                               const std::string& source) {
  const OrderedJson& value = member(object, name, source);
  require(value.is_string(), source, ": \"", name, "\" is no text");
  return value.get<std::string>();
}

/// A finite number of at least `least`.
inline double number_member(const OrderedJson& object, const char* name, const std::string& source,
                            double least = 0) {
  const OrderedJson& value = member(object, name, source);
  require(value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() >= least,
          source, ": \"", name, "\" is no number of at least ", least);
  return value.get<double>();
}

/// A whole number in [least, limit).
inline int64_t whole_number(const OrderedJson& value, int64_t least, int64_t limit,
                            const char* name, const std::string& source) {
  const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= uint64_t{INT64_MAX}
                                               : value.is_number_integer();
  require(fits && value.get<int64_t>() >= least && value.get<int64_t>() < limit, source, ": \"",
          name, "\" holds no whole number from ", least, " to ", limit - 1);
  return value.get<int64_t>();
}

inline int64_t whole_member(const OrderedJson& object, const char* name, const std::string& source,
                            int64_t least = 0, int64_t limit = INT64_MAX) {
  return whole_number(member(object, name, source), least, limit, name, source);
}

inline std::vector<std::string> texts_member(const OrderedJson& object, const char* name,
                                             const std::string& source) {
  const OrderedJson& value = member(object, name, source);
  require(value.is_array(), source, ": \"", name, "\" is no list");
  std::vector<std::string> texts;
  texts.reserve(value.size());
  for (const OrderedJson& text : value) {
    require(text.is_string(), source, ": \"", name, "\" holds something that is no text");
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

}  // namespace clipnext::eval

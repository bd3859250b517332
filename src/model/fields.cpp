#include "model/fields.h"

#include <cmath>
#include <sstream>

#include "base/error.h"

namespace clipnext::model {
namespace {

// Accepts 3 and 3.0 is refused: a size written as a float is a mistake worth seeing.
bool in_range(const Json& value, int64_t low, int64_t high) {
  if (value.is_number_unsigned()) {
    const auto v = value.get<uint64_t>();
    return v <= static_cast<uint64_t>(INT64_MAX) && static_cast<int64_t>(v) >= low &&
           static_cast<int64_t>(v) <= high;
  }
  return value.is_number_integer() && value.get<int64_t>() >= low && value.get<int64_t>() <= high;
}

std::string range(int64_t low, int64_t high) {
  return std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

std::string show(const Json& value) {
  constexpr size_t kMaxShown = 80;
  // Invalid UTF-8 cannot come out of parse_json, but a message must never throw.
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "...";
  return text;
}

void Problems::raise(const std::string& source) const {
  if (list_.empty()) return;
  constexpr size_t kMaxShown = 40;
  std::string all;
  for (size_t i = 0; i < list_.size() && i < kMaxShown; ++i) all += (i ? "; " : "") + list_[i];
  if (list_.size() > kMaxShown) {
    all += "; and " + std::to_string(list_.size() - kMaxShown) + " more";
  }
  fail(source, ": ", all);
}

Fields::Fields(const Json* object, std::string path, Problems& problems)
    : object_(object), path_(std::move(path)), problems_(problems) {
  if (object_ == nullptr || object_->is_object()) return;
  problem("", "is " + show(*object_) + ", expected an object");
  object_ = nullptr;
}

const Json* Fields::member(const std::string& key) {
  seen_.insert(key);
  if (object_ == nullptr) return nullptr;
  const auto it = object_->find(key);
  return it == object_->end() || it->is_null() ? nullptr : &*it;
}

bool Fields::has(const std::string& key) { return member(key) != nullptr; }

bool Fields::has_null(const std::string& key) {
  seen_.insert(key);
  return object_ != nullptr && object_->contains(key) && object_->at(key).is_null();
}

int64_t Fields::integer(const std::string& key, int64_t fallback, int64_t low, int64_t high) {
  const Json* value = member(key);
  if (value == nullptr) return fallback;
  if (in_range(*value, low, high)) return value->get<int64_t>();
  problem(key, "is " + show(*value) + ", expected a whole number from " + range(low, high));
  return fallback;
}

double Fields::number(const std::string& key, double fallback, double low, double high) {
  const Json* value = member(key);
  if (value == nullptr) return fallback;
  if (value->is_number()) {
    const auto v = value->get<double>();
    if (std::isfinite(v) && v >= low && v <= high) return v;
  }
  std::ostringstream text;
  text << "is " << show(*value) << ", expected a number from " << low << " to " << high;
  problem(key, text.str());
  return fallback;
}

bool Fields::boolean(const std::string& key, bool fallback) {
  const Json* value = member(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  problem(key, "is " + show(*value) + ", expected true or false");
  return fallback;
}

std::string Fields::text(const std::string& key, const std::string& fallback) {
  const Json* value = member(key);
  if (value == nullptr) return fallback;
  if (value->is_string()) return value->get<std::string>();
  problem(key, "is " + show(*value) + ", expected a string");
  return fallback;
}

size_t Fields::choice(const std::string& key, const std::vector<std::string>& choices,
                      size_t fallback) {
  const Json* value = member(key);
  if (value == nullptr) return fallback;
  std::string listed;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (value->is_string() && value->get_ref<const std::string&>() == choices[i]) return i;
    listed += (i ? ", \"" : "\"") + choices[i] + "\"";
  }
  problem(key, "is " + show(*value) + ", supported: " + listed);
  return fallback;
}

std::optional<std::vector<int64_t>> Fields::integers(const std::string& key, size_t count,
                                                     int64_t low, int64_t high) {
  const Json* value = member(key);
  if (value == nullptr) return std::nullopt;
  bool ok = value->is_array() && value->size() == count;
  std::vector<int64_t> list;
  for (size_t i = 0; ok && i < count; ++i) {
    ok = in_range((*value)[i], low, high);
    if (ok) list.push_back((*value)[i].get<int64_t>());
  }
  if (ok) return list;
  problem(key, "is " + show(*value) + ", expected a list of " + std::to_string(count) +
                   " whole numbers from " + range(low, high));
  return std::nullopt;
}

void Fields::only(const std::string& key, const Json& value) {
  const Json* found = member(key);
  if (found != nullptr && *found != value) {
    problem(key, "is " + show(*found) + ", supported: " + show(value));
  }
}

void Fields::only(std::initializer_list<std::pair<const char*, Json>> members) {
  for (const auto& [key, value] : members) only(key, value);
}

void Fields::ignore(std::initializer_list<const char*> keys) {
  seen_.insert(keys.begin(), keys.end());
}

void Fields::problem(const std::string& key, const std::string& text) {
  std::string where = path_ + key;
  if (!where.empty() && where.back() == '.') where.pop_back();
  problems_.add((where.empty() ? "the configuration" : where) + " " + text);
}

void Fields::finish() {
  if (object_ == nullptr) return;
  for (const auto& [key, value] : object_->items()) {
    if (seen_.count(key) == 0) problems_.add("unknown field " + show(Json(path_ + key)));
  }
}

}  // namespace clipnext::model

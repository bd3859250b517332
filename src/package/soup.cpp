#include "package/soup.h"

#include <cmath>

#include "base/error.h"
#include "base/json.h"

namespace clipnext::package {
namespace {

constexpr size_t kMostIngredients = 10'000;

// A member that may be absent or null.
const OrderedJson* member(const OrderedJson& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

// Numbers too: an epoch is written either way.
std::string text(const OrderedJson& object, const char* name, const std::string& source) {
  const OrderedJson* value = member(object, name);
  if (value == nullptr) return "";
  require(value->is_string() || value->is_number(), source, ": \"", name, "\" is no text");
  return value->is_string() ? value->get<std::string>() : value->dump();
}

double finite(const OrderedJson& value, const std::string& name, const std::string& source) {
  require(value.is_number() && std::isfinite(value.get<double>()), source, ": \"", name,
          "\" is no number");
  return value.get<double>();
}

std::optional<double> number(const OrderedJson& object, const char* name,
                             const std::string& source) {
  const OrderedJson* value = member(object, name);
  return value == nullptr ? std::nullopt : std::optional(finite(*value, name, source));
}

std::optional<int64_t> whole(const OrderedJson& object, const char* name,
                             const std::string& source) {
  const auto value = number(object, name, source);
  if (!value) return std::nullopt;
  require(*value >= 0 && *value <= 1e9 && *value == std::floor(*value), source, ": \"", name,
          "\" is no whole number");
  return static_cast<int64_t>(*value);
}

Scores scores(const OrderedJson& object, const std::string& source) {
  Scores found;
  const OrderedJson* value = member(object, "scores");
  if (value == nullptr) return found;
  require(value->is_object(), source, ": \"scores\" is no object");
  for (const auto& [name, score] : value->items()) {
    if (!score.is_null()) found.emplace_back(name, finite(score, name, source));
  }
  return found;
}

// The objects of a list that may be absent.
std::vector<const OrderedJson*> objects(const OrderedJson& object, const char* name,
                                        const std::string& source) {
  std::vector<const OrderedJson*> found;
  const OrderedJson* list = member(object, name);
  if (list == nullptr) return found;
  require(list->is_array() && list->size() <= kMostIngredients, source, ": \"", name,
          "\" is no list of at most ", kMostIngredients);
  for (const OrderedJson& entry : *list) {
    require(entry.is_object(), source, ": \"", name, "\" holds something that is no object");
    found.push_back(&entry);
  }
  return found;
}

Ingredient ingredient(const OrderedJson& json, const std::string& source) {
  return {.name = text(json, "name", source),
          .sha256 = text(json, "sha256", source),
          .dtype = text(json, "dtype", source),
          .epoch = text(json, "epoch", source),
          .declared_name = text(json, "declared_name", source),
          .weight = number(json, "weight", source),
          .logit_scale = number(json, "logit_scale", source),
          .image_size = whole(json, "image_size", source),
          .scores = scores(json, source)};
}

Admission admission(const OrderedJson& json, const std::string& source) {
  const OrderedJson* admitted = member(json, "admitted");
  require(admitted != nullptr && admitted->is_boolean(), source,
          ": \"admitted\" is neither true nor false");
  return {.candidate = text(json, "candidate", source),
          .score = number(json, "score", source),
          .admitted = admitted->get<bool>(),
          .soup_size = whole(json, "soup_size", source)};
}

}  // namespace

Soup parse_soup(std::string_view content, const std::string& source) {
  const OrderedJson json = parse_ordered_json(content, source);
  require(json.is_object() && json.contains("ingredients"), source,
          ": is no record of a soup: an object with \"ingredients\" was expected");
  Soup soup{.recipe = text(json, "recipe", source),
            .accumulate = text(json, "accumulate", source),
            .evaluator = text(json, "evaluator", source),
            .metric = text(json, "metric", source),
            .alpha = number(json, "alpha", source),
            .ingredients = {},
            .scores = scores(json, source),
            .greedy = {}};
  for (const OrderedJson* entry : objects(json, "ingredients", source)) {
    soup.ingredients.push_back(ingredient(*entry, source));
  }
  for (const OrderedJson* entry : objects(json, "greedy", source)) {
    soup.greedy.push_back(admission(*entry, source));
  }
  return soup;
}

}  // namespace clipnext::package

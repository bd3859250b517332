#include "run/recipes.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "model/nearest.h"
#include "run/parse_options.h"
#include "run/python_literal.h"
#include "run/recipe_files.h"

namespace clipnext::run {
namespace {

constexpr int64_t kMaxRecipeBytes = int64_t{1} << 20;

PythonValue python_value(const OrderedJson& json, const std::string& source) {
  if (json.is_boolean()) return {json.get<bool>()};
  if (json.is_number_integer()) return {json.get<int64_t>()};
  if (json.is_number_float()) return {json.get<double>()};
  if (json.is_string()) return {json.get<std::string>()};
  if (json.is_null()) return {};
  require(json.is_array(), source, ": expected numbers, text or lists, found ", json.dump());
  PythonSequence sequence;
  for (const OrderedJson& item : json) sequence.items.push_back(python_value(item, source));
  return {sequence};
}

// As on the command line: text without quotes.
std::string plain_text(const OrderedJson& json, const std::string& source) {
  if (json.is_string()) return json.get<std::string>();
  require(json.is_number(), source, ": expected a number or text, found ", json.dump());
  return python_repr(python_value(json, source));
}

void add_option(const std::string& name, const OrderedJson& value, const std::string& source,
                std::vector<std::string>& arguments) {
  if (value.is_boolean()) {
    arguments.push_back((value.get<bool>() ? "--" : "--no-") + name);
    return;
  }
  arguments.push_back("--" + name);
  if (value.is_array()) {
    for (const OrderedJson& item : value) arguments.push_back(plain_text(item, source));
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      arguments.push_back(key + "=" + python_repr(python_value(item, source)));
    }
  } else {
    arguments.push_back(plain_text(value, source));
  }
}

Recipe parse_recipe(std::string_view text, const std::string& name, const std::string& source) {
  const OrderedJson json = parse_ordered_json(text, source);
  require(json.is_object() && json.contains("options") && json["options"].is_object(), source,
          ": a recipe is {\"about\": TEXT, \"options\": {OPTION: VALUE}}");
  Recipe recipe{.name = name, .about = json.value("about", std::string()), .arguments = {}};
  for (const auto& [option, value] : json["options"].items()) {
    require(option != "recipe", source, ": a recipe holds no recipe");
    std::string place = source;
    (place += ": ") += option;
    add_option(option, value, place, recipe.arguments);
  }
  return recipe;
}

}  // namespace

std::vector<Recipe> builtin_recipes() {
  std::vector<Recipe> recipes;
  for (const RecipeFile& file : recipe_files()) {
    const std::string name(file.name);
    recipes.push_back(parse_recipe(file.text, name, "configs/recipes/" + name + ".json"));
  }
  std::sort(recipes.begin(), recipes.end(),
            [](const Recipe& a, const Recipe& b) { return a.name < b.name; });
  return recipes;
}

Recipe find_recipe(const std::string& name_or_file) {
  std::error_code ignored;
  if (name_or_file.ends_with(".json") && std::filesystem::is_regular_file(name_or_file, ignored)) {
    return parse_recipe(read_file(name_or_file, kMaxRecipeBytes),
                        std::filesystem::path(name_or_file).stem().string(), name_or_file);
  }
  std::vector<std::string> names;
  std::string list;
  for (Recipe& recipe : builtin_recipes()) {
    if (recipe.name == name_or_file) return recipe;
    list += (list.empty() ? "" : ", ") + recipe.name;
    names.push_back(recipe.name);
  }
  throw UsageError("--recipe " + name_or_file + " is neither a recipe" +
                   model::did_you_mean(name_or_file, names) + " nor a JSON file; there are " +
                   list);
}

std::optional<std::string_view> recipe_model(std::string_view name) {
  for (const RecipeFile& file : recipe_model_files()) {
    if (file.name == name) return file.text;
  }
  return std::nullopt;
}

}  // namespace clipnext::run

// Options that belong together: the recipes of configs/recipes/, inside the program.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clipnext::run {

struct Recipe {
  std::string name;
  std::string about;                   // one line
  std::vector<std::string> arguments;  // as on the command line
};

/// By name.
std::vector<Recipe> builtin_recipes();

/// A recipe by name, or of a JSON file: {"about": TEXT, "options": {OPTION: VALUE}}, where true
/// gives a flag, a list several values and an object KEY=VALUE pairs. Throws UsageError that names
/// those there are, Error for a file that is none.
Recipe find_recipe(const std::string& name_or_file);

/// The JSON of a model configuration that comes with the recipes (configs/recipes/models/), beside
/// those that the program has anyway.
std::optional<std::string_view> recipe_model(std::string_view name);

}  // namespace clipnext::run

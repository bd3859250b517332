// Lookup of the configurations inside the program.
#include "model/builtin.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/natural_order.h"
#include "model/config.h"
#include "model/nearest.h"

namespace clipnext::model {
namespace {

const BuiltinFile* find(std::string_view name) {
  const auto configs = builtin_configs();
  const auto it = std::find_if(configs.begin(), configs.end(),
                               [&](const BuiltinFile& file) { return file.name == name; });
  return it == configs.end() ? nullptr : &*it;
}

}  // namespace

std::vector<std::string> builtin_config_names() {
  std::vector<std::string> names;
  for (const BuiltinFile& file : builtin_configs()) names.emplace_back(file.name);
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

bool is_builtin_config(std::string_view name) { return find(name) != nullptr; }

std::string_view builtin_config_json(std::string_view name) {
  const BuiltinFile* file = find(name);
  require(file != nullptr, "no model configuration named \"", name, "\"",
          did_you_mean(name, builtin_config_names()), "; `clipnext models` lists them all");
  return file->text;
}

ClipConfig builtin_config(std::string_view name) {
  const std::string source = "configs/" + std::string(name) + ".json";
  return parse_model_config(parse_json(builtin_config_json(name), source), std::string(name),
                            source);
}

}  // namespace clipnext::model

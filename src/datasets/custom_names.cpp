// Class names and templates from the user's JSON files.
#include <algorithm>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "datasets/names.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

using Names = std::vector<std::string>;

// Ten times clip_benchmark's largest such file, the prompts of CuPL.
constexpr int64_t kMaxBytes = int64_t{100} << 20;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// "it" of "it_classnames.json" if that is the file's whole name, else nothing.
std::string_view shipped_language(std::string_view file, std::string_view ending) {
  if (!file.ends_with(ending)) return {};
  file.remove_suffix(ending.size());
  constexpr std::string_view kLanguages[] = {"ar", "cn", "en", "it", "jp"};
  const bool known =
      std::find(std::begin(kLanguages), std::end(kLanguages), file) != std::end(kLanguages);
  return known ? file : std::string_view();
}

OrderedJson read_object(const std::string& file) {
  require(exists(file), file,
          ": no such file, and not one of the lists inside the program (en_classnames.json, "
          "en_zeroshot_classification_templates.json, the same with ar, cn, it, jp)");
  OrderedJson json = parse_ordered_json(read_file(file, kMaxBytes), file);
  require(json.is_object(), file, ": expected a JSON object from data set names to lists");
  return json;
}

Names read_names(const OrderedJson& list, const std::string& where) {
  require(list.is_array() && !list.empty(), where, ": expected a list of texts that is not empty");
  Names names;
  names.reserve(list.size());
  for (const OrderedJson& name : list) {
    require(name.is_string(), where, ": entry ", names.size() + 1, " is no text");
    names.push_back(name.get<std::string>());
  }
  return names;
}

std::string member_of(std::string where, const std::string& name) {
  return where.append(": \"").append(name).append("\"");
}

// The member of the first key there is, with the place of it for messages.
std::pair<const OrderedJson*, std::string> find_first(const OrderedJson& json, const Names& keys,
                                                      const std::string& file) {
  for (const std::string& key : keys) {
    if (const auto found = json.find(key); found != json.end()) {
      return {&*found, member_of(file, key)};
    }
  }
  std::string tried;
  for (const std::string& key : keys) {
    tried.append(tried.empty() ? "\"" : ", \"").append(key).append("\"");
  }
  fail(file, ": has none of ", tried);
}

Names custom_class_names(const Request& request) {
  const std::string& file = request.custom_classname_file;
  const std::string_view language = shipped_language(file, "_classnames.json");
  if (!exists(file) && !language.empty()) return class_names(request.name, language);
  const OrderedJson json = read_object(file);
  const auto [list, where] = find_first(json, lookup_keys(request.name), file);
  return read_names(*list, where);
}

Prompts custom_prompts(const Request& request) {
  const std::string& file = request.custom_template_file;
  const std::string_view language =
      shipped_language(file, "_zeroshot_classification_templates.json");
  Prompts prompts;
  if (!exists(file) && !language.empty()) {
    prompts.templates = templates(request.name, language);
    return prompts;
  }
  const OrderedJson json = read_object(file);
  Names keys = lookup_keys(request.name);
  keys.emplace_back("imagenet1k");
  const auto [found, where] = find_first(json, keys, file);
  if (!found->is_object()) {
    prompts.templates = read_names(*found, where);
    return prompts;
  }
  prompts.by_class.reserve(found->size());
  for (const auto& [name, list] : found->items()) {
    prompts.by_class.emplace_back(name, read_names(list, member_of(where, name)));
  }
  require(!prompts.by_class.empty(), where, ": no classes in it");
  return prompts;
}

void replace_classes(const Request& request, Names names, Dataset& dataset) {
  const std::string& file = request.custom_classname_file;
  const auto count = static_cast<int64_t>(names.size());
  const size_t had = dataset.classes.size();
  require(dataset.kind != Kind::kMultilabel || names.size() == had, file, ": ", count,
          " class names for ", request.name, ", whose labels are vectors of ", had);
  const auto largest = std::max_element(dataset.labels.begin(), dataset.labels.end());
  require(largest == dataset.labels.end() || *largest < count, file, ": ", count,
          " class names for ", request.name, ", which has the label ",
          largest == dataset.labels.end() ? 0 : *largest, " (labels count from 0)");
  if (had != 0 && names.size() != had) {
    dataset.warnings.push_back(file + ": " + std::to_string(count) + " class names in place of " +
                               std::to_string(had));
  }
  dataset.classes = std::move(names);
}

void require_prompts_of_each_class(const std::string& file, const Dataset& dataset) {
  std::set<std::string_view> known;
  for (const auto& [name, prompts] : dataset.prompts.by_class) known.insert(name);
  for (const std::string& name : dataset.classes) {
    require(known.contains(name), file, ": no prompts for the class \"", name, "\"");
  }
}

}  // namespace

void apply_custom_names(const Request& request, Dataset& dataset) {
  if (dataset.kind != Kind::kClassification && dataset.kind != Kind::kMultilabel) return;
  if (!request.custom_template_file.empty()) dataset.prompts = custom_prompts(request);
  if (!request.custom_classname_file.empty()) {
    replace_classes(request, custom_class_names(request), dataset);
  }
  if (!dataset.prompts.by_class.empty()) {
    require_prompts_of_each_class(request.custom_template_file, dataset);
  }
}

}  // namespace clipnext::datasets

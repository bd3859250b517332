#include "eval/results.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/python_json.h"
#include "eval/json_members.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxResultBytes = int64_t{64} << 20;  // with class names and finished prompts

OrderedJson read_object(const fs::path& path) {
  OrderedJson json = parse_python_json(read_file(path, kMaxResultBytes), path.string());
  require(json.is_object(), path.string(), ": holds no JSON object");
  return json;
}

OrderedJson checked_metrics(const OrderedJson& metrics, const std::string& source) {
  if (metrics.is_null()) return metrics;
  require(metrics.is_object(), source, ": \"metrics\" is no object");
  for (const auto& [name, value] : metrics.items()) {
    require(value.is_number() || value.is_boolean() || value.is_null(), source, ": the metric \"",
            name, "\" is no number");
  }
  return metrics;
}

// What the csv module makes of a value: None empty, True, nan; lists as JSON.
std::string csv_text(const OrderedJson& value) {
  if (value.is_null()) return "";
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float() && std::isnan(value.get<double>())) return "nan";
  return python_json(value);
}

// csv.QUOTE_MINIMAL.
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// All that a row can show, by column; top-level members over metrics of the same name.
OrderedJson csv_row(const RunResult& result) {
  OrderedJson row = result.metrics.is_object() ? result.metrics : OrderedJson::object();
  for (const auto& [name, value] : result.other.items()) row[name] = value;
  if (result.classnames) row["classnames"] = *result.classnames;
  if (!result.templates.is_null()) row["templates"] = result.templates;
  row["dataset"] = result.dataset;
  row["model"] = result.model;
  row["pretrained"] = result.pretrained;
  row["task"] = result.task;
  row["language"] = result.language;
  row["model_fullname"] = result.model + " " + result.pretrained;
  return row;
}

std::vector<std::string> csv_columns(std::span<const RunResult> results) {
  std::vector<std::string> columns = {"dataset", "model",    "pretrained",
                                      "task",    "language", "model_fullname"};
  std::set<std::string> metrics;
  std::set<std::string> others;
  for (const RunResult& result : results) {
    const OrderedJson row = csv_row(result);
    for (const auto& [name, value] : row.items()) {
      if (std::find(columns.begin(), columns.end(), name) != columns.end()) continue;
      const bool is_metric = result.metrics.is_object() && result.metrics.contains(name);
      (is_metric ? metrics : others).insert(name);
    }
  }
  columns.insert(columns.end(), metrics.begin(), metrics.end());
  for (const std::string& name : others) {
    if (!metrics.contains(name)) columns.push_back(name);
  }
  return columns;
}

}  // namespace

std::vector<fs::path> files_ending(const fs::path& folder,
                                   std::span<const std::string_view> endings) {
  std::error_code error;
  std::vector<fs::path> found;
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    const std::string ending = entry->path().extension().string();
    if (std::find(endings.begin(), endings.end(), ending) != endings.end()) {
      found.push_back(entry->path());
    }
  }
  require(!error, folder.string(), ": cannot be read: ", error.message());
  std::sort(found.begin(), found.end());
  return found;
}

std::string to_json_line(const RunResult& result, bool strict) {
  OrderedJson json = {{"dataset", result.dataset},       {"model", result.model},
                      {"pretrained", result.pretrained}, {"task", result.task},
                      {"metrics", result.metrics},       {"language", result.language}};
  if (result.classnames) json["classnames"] = *result.classnames;
  if (!result.templates.is_null()) json["templates"] = result.templates;
  return python_json(json, strict);
}

void write_result(const fs::path& path, const RunResult& result, bool strict) {
  if (path.has_parent_path()) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    require(!error, path.parent_path().string(), ": cannot be made: ", error.message());
  }
  write_file(path, to_json_line(result, strict));
}

RunResult result_from_json(const OrderedJson& json, const std::string& source) {
  RunResult result;
  result.dataset = text_member(json, "dataset", source);
  result.model = text_member(json, "model", source);
  result.pretrained = text_member(json, "pretrained", source);
  result.task = text_member(json, "task", source);
  result.metrics = checked_metrics(member(json, "metrics", source), source);
  // Early versions of CLIP_benchmark wrote no language.
  result.language = json.contains("language") ? text_member(json, "language", source) : "en";
  if (json.contains("classnames")) result.classnames = texts_member(json, "classnames", source);
  if (json.contains("templates")) result.templates = json.at("templates");
  const std::set<std::string> known = {"dataset", "model",    "pretrained", "task",
                                       "metrics", "language", "classnames", "templates"};
  for (const auto& [name, value] : json.items()) {
    if (!known.contains(name)) result.other[name] = value;
  }
  return result;
}

RunResult read_result(const fs::path& path) {
  return result_from_json(read_object(path), path.string());
}

std::optional<double> metric(const RunResult& result, std::string_view name) {
  if (!result.metrics.is_object()) return std::nullopt;
  const auto found = result.metrics.find(std::string(name));
  if (found == result.metrics.end() || !found->is_number()) return std::nullopt;
  const double value = found->get<double>();
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

fs::path details_path(const fs::path& result) { return result.string() + ".details"; }

void write_details(const fs::path& path, const Details& details) {
  OrderedJson skipped = OrderedJson::array();
  for (const auto& one : details.skipped) {
    skipped.push_back({{"image", one.image}, {"reason", one.reason}});
  }
  OrderedJson confidence = OrderedJson::object();
  for (const auto& one : details.confidence) confidence[one.metric] = {one.low, one.high};
  write_file(path, python_json({{"images", details.images},
                                {"skipped", skipped},
                                {"confidence", confidence},
                                {"seconds", details.seconds},
                                {"images_per_second", details.images_per_second},
                                {"gmac_image", details.gmac_image},
                                {"gmac_text", details.gmac_text},
                                {"parameters_million", details.parameters_million},
                                {"dtype", details.dtype},
                                {"isa", details.isa},
                                {"version", details.version}}));
}

Details read_details(const fs::path& path) {
  const OrderedJson json = read_object(path);
  const std::string source = path.string();
  Details details;
  details.images = whole_member(json, "images", source);
  const OrderedJson& skipped = member(json, "skipped", source);
  require(skipped.is_array(), source, ": \"skipped\" is no list");
  for (const OrderedJson& one : skipped) {
    details.skipped.push_back(
        {text_member(one, "image", source), text_member(one, "reason", source)});
  }
  const OrderedJson& confidence = member(json, "confidence", source);
  require(confidence.is_object(), source, ": \"confidence\" is no object");
  for (const auto& [name, ends] : confidence.items()) {
    require(ends.is_array() && ends.size() == 2 && ends[0].is_number() && ends[1].is_number(),
            source, ": \"confidence\" of ", name, " is no pair of numbers");
    details.confidence.push_back({name, ends[0].get<double>(), ends[1].get<double>()});
  }
  details.seconds = number_member(json, "seconds", source);
  details.images_per_second = number_member(json, "images_per_second", source);
  details.gmac_image = number_member(json, "gmac_image", source);
  details.gmac_text = number_member(json, "gmac_text", source);
  details.parameters_million = number_member(json, "parameters_million", source);
  details.dtype = text_member(json, "dtype", source);
  details.isa = text_member(json, "isa", source);
  details.version = text_member(json, "version", source);
  return details;
}

std::vector<RunResult> read_results(std::span<const std::string> paths,
                                    std::vector<std::string>& passed_over) {
  constexpr std::array<std::string_view, 1> kJson = {".json"};
  std::vector<RunResult> results;
  for (const std::string& given : paths) {
    std::error_code ignored;
    if (!fs::is_directory(given, ignored)) {
      results.push_back(read_result(given));
      continue;
    }
    for (const fs::path& file : files_ending(given, kJson)) {
      try {
        results.push_back(read_result(file));
      } catch (const Error& error) {
        passed_over.emplace_back(error.what());
      }
    }
  }
  return results;
}

std::string results_csv(std::span<const RunResult> results) {
  const std::vector<std::string> columns = csv_columns(results);
  std::string table;
  const auto end_cell = [&](size_t column) { table += column + 1 < columns.size() ? "," : "\r\n"; };
  for (size_t i = 0; i < columns.size(); ++i) {
    table += csv_cell(columns[i]);
    end_cell(i);
  }
  for (const RunResult& result : results) {
    const OrderedJson row = csv_row(result);
    for (size_t i = 0; i < columns.size(); ++i) {
      const auto found = row.find(columns[i]);
      if (found != row.end()) table += csv_cell(csv_text(*found));
      end_cell(i);
    }
  }
  return table;
}

}  // namespace clipnext::eval

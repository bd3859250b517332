#include "package/facts.h"

#include <cmath>

#include "page/line_chart.h"
#include "page/svg_chart.h"
#include "run/log_file.h"
#include "run/logs.h"

namespace clipnext::package {
namespace {

std::vector<std::pair<std::string, double>> last_results(const std::filesystem::path& folder) {
  const auto lines = run::read_json_lines(run::RunPaths{folder}.results());
  std::vector<std::pair<std::string, double>> results;
  if (lines.empty()) return results;
  for (const auto& [name, value] : lines.back().items()) {
    if (value.is_number() && std::isfinite(value.get<double>())) {
      results.emplace_back(name, value.get<double>());
    }
  }
  return results;
}

}  // namespace

std::vector<TrainingRun> read_runs(const std::vector<std::string>& folders,
                                   std::vector<std::string>& notes) {
  std::vector<TrainingRun> runs;
  if (folders.empty()) return runs;
  for (run::RunCurves& curves : run::read_curves(folders, notes)) {
    auto results = last_results(curves.folder);
    runs.push_back({.curves = std::move(curves), .results = std::move(results)});
  }
  return runs;
}

std::string param(const TrainingRun& run, const std::string& name) {
  for (const auto& [key, value] : run.curves.params) {
    if (key != name) continue;
    return value == "None" || value == "False" ? "" : value;
  }
  return "";
}

std::map<std::string, std::string> charts(const CardFacts& facts) {
  std::map<std::string, std::string> files;
  page::LineChart loss{.title = "Training loss", .x_label = "step", .y_label = "loss"};
  for (const TrainingRun& run : facts.runs) {
    const auto found = run.curves.curves.find("train/loss");
    if (found == run.curves.curves.end()) continue;
    loss.curves.push_back({run.curves.name, found->second});
  }
  if (!loss.curves.empty()) files[kTrainingChart] = page::line_svg(loss);
  if (const auto chart = eval::zero_shot_chart(facts.evaluations, {})) {
    files[kEvaluationChart] = page::scatter_svg(*chart);
  }
  return files;
}

}  // namespace clipnext::package

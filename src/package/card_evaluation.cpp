// What was measured, on what: tables by task.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include "package/card_sections.h"
#include "package/markdown.h"
#include "page/markup.h"

namespace clipnext::package {
namespace {

using eval::ReportRun;

constexpr std::string_view kLocal = "local-dir:";

// The tasks by CLIP_benchmark's names; others show as they are.
std::string task_title(const std::string& task) {
  if (task == "zeroshot_classification") return "Zero-shot classification";
  if (task == "zeroshot_retrieval") return "Zero-shot retrieval";
  if (task == "linear_probe") return "Linear probe";
  if (task == "captioning") return "Captioning";
  if (task == "image_caption_selection") return "Caption selection";
  return prose(task);
}

// Fractions as percentages, whatever else as it is.
std::string figure(double value) {
  return value >= 0 && value <= 1 ? page::fixed(100 * value, 2) : short_number(value);
}

std::string images(const ReportRun& run) {
  return run.details && run.details->images > 0 ? std::to_string(run.details->images) : "";
}

// A path is cut to what tells it from others: its last part, of a run's checkpoint the run before
// it. CLIP_benchmark's tag says nothing of a model that is a path.
std::string model_text(const eval::RunResult& result) {
  std::string name = result.model;
  if (name.starts_with(kLocal)) name = name.substr(kLocal.size());
  if (name.find('/') == std::string::npos) {
    const std::string tag = std::filesystem::path(result.pretrained).filename().string();
    return code(name) + (tag.empty() ? "" : " " + code(tag));
  }
  std::filesystem::path path = std::filesystem::path(name).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const std::filesystem::path folder = path.parent_path();
  if (folder.filename() != "checkpoints") return code(path.filename().string());
  return code((folder.parent_path().filename() / path.filename()).string());
}

std::string task_table(std::vector<const ReportRun*> runs) {
  std::vector<std::string> metrics;
  bool counted = false;
  for (const ReportRun* run : runs) {
    counted = counted || !images(*run).empty();
    for (const auto& [name, value] : run->result.metrics.items()) {
      const bool known = std::find(metrics.begin(), metrics.end(), name) != metrics.end();
      if (!known && eval::metric(run->result, name)) metrics.push_back(name);
    }
  }
  std::vector<std::string> head = {"Data set"};
  head.emplace_back("Model");
  if (counted) head.emplace_back("Images");
  for (const std::string& name : metrics) head.push_back(code(name));
  std::vector<std::vector<std::string>> rows;
  std::stable_sort(runs.begin(), runs.end(), [](const ReportRun* a, const ReportRun* b) {
    return a->result.dataset < b->result.dataset;
  });
  for (const ReportRun* run : runs) {
    const eval::RunResult& result = run->result;
    std::string dataset = code(result.dataset);
    if (result.language != "en") dataset += " (" + prose(result.language) + ")";
    auto& row = rows.emplace_back(std::vector<std::string>{dataset, model_text(result)});
    if (counted) row.push_back(images(*run));
    for (const std::string& name : metrics) {
      const auto value = eval::metric(result, name);
      row.push_back(value ? figure(*value) : "");
    }
  }
  return table(head, rows, true);
}

std::string testing_data(const std::vector<ReportRun>& runs) {
  std::string text;
  std::set<std::string> seen;
  for (const ReportRun& run : runs) {
    if (!seen.insert(run.result.dataset).second) continue;
    text += "- " + code(run.result.dataset);
    if (!images(run).empty()) text += ", " + images(run) + " pictures";
    text += "\n";
  }
  return text;
}

std::string factors(const std::vector<ReportRun>& runs) {
  std::set<std::string> metrics;
  for (const ReportRun& run : runs) {
    for (const auto& [name, value] : run.result.metrics.items()) metrics.insert(name);
  }
  std::string text = "Measured as CLIP_benchmark does:";
  for (const std::string& name : metrics) text += (text.back() == ':' ? " " : ", ") + code(name);
  return text + ".\n";
}

}  // namespace

std::string evaluation_section(const CardContext& card) {
  const auto& runs = card.facts.evaluations.runs;
  const bool none = runs.empty();
  const std::string missing =
      none ? card.gap("results of `clipnext eval` or CLIP_benchmark", "--eval FILES") : "";
  std::string text = "## Testing Data, Factors & Metrics\n\n### Testing Data\n\n";
  text += none ? missing : testing_data(runs);
  text += "\n### Factors & Metrics\n\n" + (none ? missing : factors(runs));
  text += "\n## Results\n\n";
  if (none) return text + missing;
  std::map<std::string, std::vector<const ReportRun*>> tasks;
  for (const ReportRun& run : runs) tasks[run.result.task].push_back(&run);
  for (const auto& [task, of_task] : tasks) {
    text += task_title(task) + ", in per cent:\n\n" + task_table(of_task) + "\n";
  }
  text.pop_back();
  return text + card.picture(kEvaluationChart, "Accuracy over multiply-adds for a picture");
}

}  // namespace clipnext::package

#include "run/report_html.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <map>
#include <set>
#include <string_view>

#include "page/document.h"
#include "page/line_chart.h"
#include "page/markup.h"

namespace clipnext::run {
namespace {

using page::escape;
using page::escape_name;

constexpr int kWidth = 1500;
constexpr std::string_view kStyle =
    R"(.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,30rem),1fr));gap:1rem}
figure{margin:0;border:1px solid var(--rule);border-radius:6px;padding:.5rem;overflow:auto}svg{display:block;width:100%}
)";

struct Plot {
  std::string_view name;  // of the curve
  std::string_view title;
  bool log_y = false;
};

// In this order; what else a run has comes behind them.
constexpr std::array kTrain = {
    Plot{"train/loss", "Training loss"},
    Plot{"train/contrastive_loss", "Contrastive loss"},
    Plot{"train/distill_loss", "Distillation loss"},
    Plot{"train/lr", "Learning rate"},
    Plot{"train/logit_scale", "Logit scale"},
    Plot{"train/grad_norm", "Norm of the gradients", true},
    Plot{"train/samples_per_second", "Samples per second"},
    Plot{"train/batch_time", "Seconds per step", true},
    Plot{"train/data_time", "Of them waiting for data", true},
};

const std::vector<std::pair<double, double>>* find_curve(const RunCurves& run,
                                                         const std::string& name) {
  const auto found = run.curves.find(name);
  return found == run.curves.end() || found->second.empty() ? nullptr : &found->second;
}

// One chart of a curve of all runs; empty if none has it.
std::string chart(const std::vector<RunCurves>& runs, const std::string& name,
                  const std::string& title, bool log_y) {
  page::LineChart lines{.title = title, .x_label = "step", .y_label = name, .log_y = log_y};
  bool any = false;
  for (const RunCurves& run : runs) {
    const auto* points = find_curve(run, name);
    any = any || points != nullptr;
    lines.curves.push_back({run.name, points != nullptr ? *points : page::Curve().points});
  }
  return any ? "<figure>" + page::line_svg(lines) + "</figure>\n" : std::string();
}

std::string section(const std::string& title, const std::string& charts) {
  if (charts.empty()) return "";
  return "<section><h2>" + title + "</h2>\n<div class=\"charts\">\n" + charts +
         "</div></section>\n";
}

std::string train_section(const std::vector<RunCurves>& runs) {
  std::string charts;
  bool sum_alone = true;
  for (const RunCurves& run : runs)
    sum_alone = sum_alone && find_curve(run, "train/distill_loss") == nullptr;
  for (const Plot& plot : kTrain) {
    // With a single part the sum says the same.
    if (plot.name == "train/contrastive_loss" && sum_alone) continue;
    charts += chart(runs, std::string(plot.name), std::string(plot.title), plot.log_y);
  }
  return section("Training", charts);
}

std::string eval_section(const std::vector<RunCurves>& runs) {
  std::set<std::string> names;
  for (const RunCurves& run : runs) {
    for (const auto& [name, points] : run.curves) {
      if (!name.starts_with("val/")) continue;
      if (name != "val/epoch" && name != "val/num_samples") names.insert(name);
    }
  }
  std::string charts;
  for (const std::string& name : names) charts += chart(runs, name, name.substr(4), false);
  return section("Evaluation", charts);
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.5g", value);
  return text.data();
}

std::string last_values(const std::vector<RunCurves>& runs) {
  std::set<std::string> names;
  for (const RunCurves& run : runs) {
    for (const auto& [name, points] : run.curves) names.insert(name);
  }
  std::string table = "<table><thead><tr><th scope=\"col\">last value of</th>";
  for (const RunCurves& run : runs) {
    table += "<th scope=\"col\" class=\"n\">" + escape_name(run.name) + "</th>";
  }
  table += "</tr></thead><tbody>\n";
  for (const std::string& name : names) {
    table += "<tr><th scope=\"row\">" + escape(name) + "</th>";
    for (const RunCurves& run : runs) {
      const auto* points = find_curve(run, name);
      table +=
          "<td class=\"n\">" + (points != nullptr ? number(points->back().second) : "") + "</td>";
    }
    table += "</tr>\n";
  }
  return "<section><h2>Last values</h2>\n" +
         page::scroll("Last values", table + "</tbody></table>\n") + "</section>\n";
}

// Of one run all options, of several those in which they differ.
std::string options_section(const std::vector<RunCurves>& runs) {
  std::map<std::string, std::vector<std::string>> rows;
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const auto& [key, value] : runs[i].params) {
      auto& values = rows[key];
      values.resize(runs.size());
      values[i] = value;
    }
  }
  std::string body;
  for (const auto& [key, values] : rows) {
    const bool same = std::count(values.begin(), values.end(), values.front()) ==
                      static_cast<std::ptrdiff_t>(values.size());
    if (same && runs.size() > 1) continue;
    body += "<tr><th scope=\"row\">" + escape(key) + "</th>";
    for (const std::string& value : values) body += "<td>" + escape(value) + "</td>";
    body += "</tr>\n";
  }
  if (body.empty()) return "";
  std::string head = "<tr><th scope=\"col\">option</th>";
  for (const RunCurves& run : runs) head += "<th scope=\"col\">" + escape_name(run.name) + "</th>";
  const std::string title = runs.size() > 1 ? "Options that differ" : "Options";
  return "<section><h2>" + title + "</h2>\n" +
         page::scroll(title, "<table><thead>" + head + "</tr></thead><tbody>\n" + body +
                                 "</tbody></table>\n") +
         "</section>\n";
}

}  // namespace

std::string report_html(const std::vector<RunCurves>& runs, const std::string& title) {
  return page::html({.title = title,
                     .width = kWidth,
                     .style = kStyle,
                     .main = train_section(runs) + eval_section(runs) + last_values(runs) +
                             options_section(runs)});
}

std::string summary_text(const RunCurves& run) {
  std::string text = run.name + ":";
  for (const Plot& plot : kTrain) {
    const auto* points = find_curve(run, std::string(plot.name));
    if (points == nullptr) continue;
    text += " " + std::string(plot.name.substr(6)) + " " + number(points->back().second);
    if (plot.name == "train/loss") {
      text += " (step " + page::fixed(points->back().first, 0) + ")";
    }
  }
  for (const auto& [name, points] : run.curves) {
    if (name.starts_with("val/") &&
        (name.find("top1") != std::string::npos || name.find("R@1") != std::string::npos)) {
      if (!name.ends_with("R@10"))
        text += " " + name.substr(4) + " " + number(points.back().second);
    }
  }
  return text + "\n";
}

}  // namespace clipnext::run

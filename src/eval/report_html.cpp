// The page of a report (report.h).
#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "eval/prediction_stats.h"
#include "eval/report.h"
#include "page/document.h"
#include "page/markup.h"

namespace clipnext::eval {
namespace {

using page::escape;
using page::escape_name;
using page::fixed;
using page::percent;
using page::scroll;
using page::shortened;

constexpr size_t kMostConfusions = 20;
constexpr size_t kPicturesEach = 4;
constexpr size_t kMostHardest = 24;
constexpr size_t kMostClasses = 2000;  // rows of a table

constexpr std::string_view kStyle = R"(h3{font-size:1rem;margin:1.25rem 0 .25rem}
a{color:var(--link)}a:focus-visible,summary:focus-visible{outline:3px solid var(--link);outline-offset:2px}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;margin:0;padding:0}
.scroll{max-height:32rem}th,td{vertical-align:top}th{overflow-wrap:normal}
th{position:sticky;top:0;white-space:nowrap}td.n{white-space:nowrap}
td{min-width:5rem}.results td:nth-child(-n+3){min-width:11rem}.pairs td:nth-child(-n+2){min-width:9rem}.curve svg{display:block;min-width:35rem}.curve .scroll{max-height:none}
.calibration{max-width:26rem}small{color:var(--soft)}
.pictures{display:flex;flex-wrap:wrap;gap:.75rem;padding:0;margin:.5rem 0;list-style:none}
.pictures li{width:8.5rem;background:var(--panel);border:1px solid var(--rule);border-radius:6px;padding:.5rem;overflow-wrap:anywhere;font-size:.85rem}
.thumb{display:flex;align-items:center;justify-content:center;width:96px;height:96px;margin:0 auto .4rem;background:#fff;border-radius:4px}
.thumb img{max-width:96px;max-height:96px}.none{border:1px dashed var(--soft);background:none;color:var(--soft);font-size:.75rem;text-align:center}
.row .thumb{width:48px;height:48px;margin:0}.row .thumb img{max-width:48px;max-height:48px}.row{display:flex;gap:.3rem}
.bad{color:var(--bad)}.good{color:var(--good)}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
@media print{.scroll{max-height:none;overflow:visible}}
)";

std::string cell(const std::string& html, bool number = false) {
  return std::string(number ? "<td class=\"n\">" : "<td>") + html + "</td>";
}

std::string heading(const std::string& text, bool number = false) {
  return std::string("<th scope=\"col\"") + (number ? " class=\"n\">" : ">") + escape(text) +
         "</th>";
}

std::string metric_cell(const ReportRun& run, const std::string& name) {
  if (!run.result.metrics.is_object() || !run.result.metrics.contains(name)) return cell("", true);
  const OrderedJson& value = run.result.metrics.at(name);
  if (value.is_boolean()) return cell(value.get<bool>() ? "yes" : "no", true);
  if (value.is_number_integer()) return cell(escape(value.dump()), true);
  const auto number = metric(run.result, name);
  if (!number) return cell("<span class=\"soft\">undefined</span>", true);
  const bool setting = name == "weight_decay";
  std::string text = setting ? escape(value.dump()) : percent(*number);
  if (run.details) {
    for (const auto& interval : run.details->confidence) {
      if (interval.metric != name) continue;
      text += "<br><small>" + fixed(100 * interval.low, 2) + " – " + fixed(100 * interval.high, 2) +
              "</small>";
    }
  }
  return cell(text, true);
}

std::string run_cells(const ReportRun& run) {
  const RunResult& result = run.result;
  return cell(escape_name(result.dataset)) + cell(escape_name(result.model)) +
         cell(escape_name(result.pretrained)) + cell(escape_name(result.language));
}

std::string details_cells(const std::optional<Details>& details) {
  if (!details) return cell("") + cell("", true) + cell("", true);
  std::string images = std::to_string(details->images);
  if (!details->skipped.empty()) {
    images +=
        "<br><small class=\"bad\">" + std::to_string(details->skipped.size()) + " skipped</small>";
  }
  return cell(escape(details->dtype + " " + details->isa)) + cell(images, true) +
         cell(fixed(details->images_per_second, 1), true);
}

// One table for each task, as tasks have their own metrics.
std::string results_section(const ReportData& data) {
  std::map<std::string, std::vector<const ReportRun*>> tasks;
  for (const ReportRun& run : data.runs) tasks[run.result.task].push_back(&run);
  std::string html = "<section id=\"results\"><h2>Results</h2>\n";
  for (const auto& [task, runs] : tasks) {
    std::set<std::string> metrics;
    for (const ReportRun* run : runs) {
      if (!run->result.metrics.is_object()) continue;
      for (const auto& [name, value] : run->result.metrics.items()) metrics.insert(name);
    }
    std::string table = "<table class=\"results\"><thead><tr>" + heading("data set") +
                        heading("model") + heading("pretrained") + heading("language");
    for (const std::string& name : metrics) table += heading(name, true);
    table += heading("computed in") + heading("images", true) + heading("images/s", true) +
             "</tr></thead><tbody>\n";
    for (const ReportRun* run : runs) {
      table += "<tr>" + run_cells(*run);
      for (const std::string& name : metrics) table += metric_cell(*run, name);
      table += details_cells(run->details) + "</tr>\n";
    }
    html += "<h3>" + escape_name(task) + "</h3>\n" +
            scroll("Results: " + task, table + "</tbody></table>\n");
  }
  return html + "</section>\n";
}

std::string thumb(const PredictedImage& image) {
  const std::string url = picture_url(image);
  if (url.empty()) return "<span class=\"thumb none\">picture not found</span>";
  return "<span class=\"thumb\"><img alt=\"\" src=\"" + url + "\"></span>";
}

const std::string& class_name(const Predictions& predictions, int64_t label) {
  return predictions.header.classes[static_cast<size_t>(label)];
}

// The right answer, or answers.
std::string truth(const Predictions& predictions, const PredictedImage& image) {
  if (image.label >= 0) return escape_name(class_name(predictions, image.label));
  std::string names;
  for (const int64_t label : image.positives) {
    names += (names.empty() ? "" : ", ") + escape_name(class_name(predictions, label));
  }
  return names.empty() ? "none of the classes" : names;
}

std::string confusion_table(const Predictions& predictions, const PredictionStats& stats) {
  std::string table = "<table class=\"pairs\"><thead><tr>" + heading("is") +
                      heading("was taken for") + heading("times", true) + heading("pictures") +
                      "</tr></thead><tbody>\n";
  for (const Confusion& pair : stats.confusions) {
    std::string pictures = "<span class=\"row\">";
    for (size_t i = 0; i < std::min(pair.images.size(), kPicturesEach); ++i) {
      pictures += thumb(predictions.images[pair.images[i]]);
    }
    table += "<tr>" + cell(escape_name(class_name(predictions, pair.label))) +
             cell(escape_name(class_name(predictions, pair.guess))) +
             cell(std::to_string(pair.images.size()), true) + cell(pictures + "</span>") +
             "</tr>\n";
  }
  return scroll("Most confused pairs", table + "</tbody></table>\n");
}

std::string class_table(const Predictions& predictions, const PredictionStats& stats) {
  std::string table = "<table><thead><tr>" + heading("class") + heading("images", true) +
                      heading("right", true) + heading("accuracy", true) + "</tr></thead><tbody>\n";
  for (size_t i = 0; i < std::min(stats.classes.size(), kMostClasses); ++i) {
    const ClassAccuracy& one = stats.classes[i];
    table +=
        "<tr>" + cell(escape_name(class_name(predictions, one.label))) +
        cell(std::to_string(one.images), true) + cell(std::to_string(one.right), true) +
        cell(percent(static_cast<double>(one.right) / static_cast<double>(one.images), 1), true) +
        "</tr>\n";
  }
  std::string html = scroll("Accuracy by class", table + "</tbody></table>\n");
  if (stats.classes.size() > kMostClasses) {
    html += "<p class=\"soft\">The " + std::to_string(kMostClasses) + " least accurate of " +
            std::to_string(stats.classes.size()) + " classes.</p>\n";
  }
  return html;
}

std::string hardest_list(const Predictions& predictions, const PredictionStats& stats) {
  std::string list = "<ul class=\"pictures\">\n";
  for (const size_t i : stats.hardest) {
    const PredictedImage& image = predictions.images[i];
    list += "<li>" + thumb(image) + "<span class=\"bad\">" +
            escape_name(class_name(predictions, image.top.front())) + "</span> " +
            percent(image.probability, 1) + "<br>is <span class=\"good\">" +
            truth(predictions, image) + "</span><br><small>" +
            escape_name(shortened(std::filesystem::path(image.image).filename().string(), 60)) +
            "</small></li>\n";
  }
  return list + "</ul>\n";
}

std::string predictions_section(const Predictions& predictions, size_t number) {
  const PredictionHeader& header = predictions.header;
  const PredictionStats stats = prediction_stats(predictions, kMostConfusions, kMostHardest);
  std::string html = "<section id=\"answers-" + std::to_string(number) + "\"><h2>Answers on " +
                     escape_name(header.dataset) + "</h2>\n<p>" + escape_name(header.model) + " " +
                     escape_name(header.pretrained) + ", language " + escape_name(header.language) +
                     ": the first guess is right for " + std::to_string(stats.right) + " of " +
                     std::to_string(predictions.images.size()) + " images.</p>\n";
  if (predictions.images.empty()) return html + "</section>\n";
  if (!stats.confusions.empty()) {
    html += "<h3>Most confused pairs</h3>\n" + confusion_table(predictions, stats);
  }
  if (!stats.hardest.empty()) {
    html += "<h3>Hardest mistakes</h3>\n<p class=\"soft\">Wrong, and surest of it.</p>\n" +
            hardest_list(predictions, stats);
  }
  html += "<h3>Calibration</h3>\n<p>Expected calibration error over " +
          std::to_string(stats.bins.size()) + " bins: <strong>" + percent(stats.calibration_error) +
          "</strong>, with a logit scale of " + fixed(header.logit_scale, 2) + ".</p>\n" +
          "<div class=\"calibration\">" +
          page::reliability_svg(stats.bins, "Reliability, " + shortened(header.dataset, 30)) +
          "</div>\n<p class=\"soft\">Blue: the share that is right. Tinted: from there to the "
          "probability claimed.</p>\n";
  if (!stats.classes.empty()) {
    html += "<h3>Accuracy by class</h3>\n<details><summary>" +
            std::to_string(stats.classes.size()) + " classes, least accurate first</summary>\n" +
            class_table(predictions, stats) + "</details>\n";
  }
  return html + "</section>\n";
}

std::string skipped_section(const ReportData& data) {
  std::string items;
  for (const ReportRun& run : data.runs) {
    if (!run.details) continue;
    for (const auto& one : run.details->skipped) items += "<li>" + escape(one.reason) + "</li>\n";
  }
  for (const std::string& note : data.notes) items += "<li>" + escape(note) + "</li>\n";
  if (items.empty()) return "";
  return "<section id=\"notes\"><h2>Passed over</h2>\n<ul>\n" + items + "</ul></section>\n";
}

}  // namespace

std::string report_html(const ReportData& data, const ReportOptions& options) {
  std::string links;
  const auto link = [&](const std::string& to, const std::string& name) {
    links += "<li><a href=\"#" + to + "\">" + name + "</a></li>\n";
  };
  std::string body;
  if (!data.runs.empty()) {
    link("results", "Results");
    body += results_section(data);
  }
  if (const auto chart = zero_shot_chart(data, options)) {
    link("curve", "Zero-shot curve");
    body += "<section id=\"curve\"><h2>Zero-shot curve</h2>\n<div class=\"curve\">" +
            scroll("Zero-shot curve", page::scatter_svg(*chart)) +
            "</div>\n"
            "<p class=\"soft\">Solid: these runs. Hollow: figures published with OpenCLIP, where "
            "there are any.</p></section>\n";
  }
  for (size_t i = 0; i < data.predictions.size(); ++i) {
    link("answers-" + std::to_string(i),
         "Answers on " + escape_name(data.predictions[i].header.dataset));
    body += predictions_section(data.predictions[i], i);
  }
  const std::string notes = skipped_section(data);
  if (!notes.empty()) link("notes", "Passed over");
  return page::html({.title = options.title,
                     .style = kStyle,
                     .before = "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n",
                     .between = "<nav aria-label=\"Sections\"><ul>\n" + links + "</ul></nav>\n",
                     .main = body + notes});
}

}  // namespace clipnext::eval

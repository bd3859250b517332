#include "cli/eval_report.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "cli/common.h"
#include "eval/report.h"
#include "page/svg_chart.h"

namespace clipnext::cli {
namespace {

struct Options {
  std::vector<std::string> paths;
  std::string output = "report.html";
  std::string svg;
  std::string axis = "gmac";
  eval::ReportOptions report;
};

void run(Options o) {
  o.report.axis = o.axis == "samples" ? eval::ChartAxis::kSamplesSeen : eval::ChartAxis::kGmac;
  const eval::ReportData data = eval::read_report(o.paths);
  for (const std::string& passed_over : data.notes) note("passed over: " + passed_over);
  write_file(o.output, eval::report_html(data, o.report));
  note("wrote " + o.output);
  const auto chart = eval::zero_shot_chart(data, o.report);
  if (!chart) {
    if (!o.svg.empty()) note("no run has what the curve needs: no " + o.svg);
    return;
  }
  if (o.svg.empty()) o.svg = std::filesystem::path(o.output).replace_extension(".svg").string();
  write_file(o.svg, page::scatter_svg(*chart));
  note("wrote " + o.svg);
}

}  // namespace

void add_eval_report(CLI::App& eval_command) {
  auto o = std::make_shared<Options>();
  auto* cmd = eval_command.add_subcommand("report", "a page about results that needs no network");
  cmd->add_option("paths", o->paths,
                  "results and predictions (--logits_out), or folders of them (.json, .jsonl)")
      ->required();
  cmd->add_option("-o,--output", o->output, "the page")->capture_default_str();
  cmd->add_option("--svg", o->svg, "the curve as a file; by default beside the page");
  cmd->add_option("--x", o->axis, "the curve's x axis")
      ->check(CLI::IsMember({"gmac", "samples"}))
      ->capture_default_str();
  cmd->add_option("--chart-dataset", o->report.chart_dataset,
                  "the curve's data set; by default ImageNet, or the most frequent");
  cmd->add_option("--title", o->report.title, "the page's title")->capture_default_str();
  cmd->footer(
      "Examples:\n"
      "  clipnext eval report results/ -o report.html\n"
      "  clipnext eval report *.json predictions.jsonl --title \"Our model\"");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli

// clipnext report: a page of curves about training runs.
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "run/curves.h"
#include "run/report_html.h"

namespace clipnext::cli {
namespace {

struct Options {
  bool json = false;
  std::vector<std::string> folders;
  std::string output = "report.html";
  std::string title = "Training";
};

OrderedJson summary_json(const std::string& output, const std::vector<run::RunCurves>& runs) {
  OrderedJson list = OrderedJson::array();
  for (const run::RunCurves& one : runs) {
    OrderedJson last = OrderedJson::object();
    for (const auto& [name, points] : one.curves) {
      last[name] = {points.back().first, points.back().second};
    }
    list.push_back({{"name", one.name}, {"folder", one.folder.string()}, {"last", last}});
  }
  return {{"output", output}, {"runs", list}};
}

void run(const Options& o) {
  std::vector<std::string> notes;
  const auto runs = run::read_curves(o.folders, notes);
  for (const std::string& passed_over : notes) note("passed over: " + passed_over);
  write_file(o.output, run::report_html(runs, o.title));
  if (o.json) {
    print_json(summary_json(o.output, runs));
  } else {
    for (const run::RunCurves& one : runs) print(run::summary_text(one));
  }
  note("wrote " + o.output);
}

}  // namespace

void add_report(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* cmd =
      app.add_subcommand("report", "curves of training runs as a page that needs no network");
  cmd->add_option("logs", o->folders,
                  "folders of runs (LOGS/NAME), or of several; open_clip's own too")
      ->required();
  cmd->add_option("-o,--output", o->output, "the page")->capture_default_str();
  cmd->add_option("--title", o->title, "the page's title")->capture_default_str();
  cmd->add_flag("--json", o->json, "the last values as JSON on standard output");
  cmd->footer(
      "Examples:\n"
      "  clipnext report logs/first -o first.html\n"
      "  clipnext report logs --title \"Three learning rates\"");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli

#include "cli/eval_build.h"

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "cli/common.h"
#include "eval/results.h"

namespace clipnext::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string output = "benchmark.csv";
};

void run(const Options& o) {
  std::vector<std::string> passed_over;
  const std::vector<eval::RunResult> results = eval::read_results(o.files, passed_over);
  for (const std::string& one : passed_over) note("passed over: " + one);
  require(!results.empty(), "no result of an evaluation in ", o.files.front());
  for (const eval::RunResult& result : results) {
    if (result.metrics.is_null()) {
      note("without metrics: " + result.dataset + ", " + result.model + " " + result.pretrained);
    }
  }
  write_file(o.output, eval::results_csv(results));
  note("wrote " + o.output + ": " + std::to_string(results.size()) + " results");
}

}  // namespace

void add_eval_build(CLI::App& eval_command) {
  auto o = std::make_shared<Options>();
  auto* cmd = eval_command.add_subcommand("build", "one CSV table of many results");
  cmd->add_option("files", o->files, "results, or folders of them (.json)")->required();
  cmd->add_option("--output", o->output, "the table")->capture_default_str();
  cmd->footer(
      "Examples:\n"
      "  clipnext eval build results/ --output benchmark.csv");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli

// clipnext version
#include <CLI/App.hpp>

#include "cli/commands.h"
#include "cli/common.h"
#include "kernels/kernels.h"

namespace clipnext::cli {
namespace {

void run(const CommonOptions& o) {
  const char* isa = kernels::kernels().isa;
  if (o.json) {
    OrderedJson isas = OrderedJson::array();
    for (const kernels::Kernels& table : kernels::available()) isas.push_back(table.isa);
    print_json(
        {{"version", CLIPNEXT_VERSION}, {"isa", isa}, {"isas", isas}, {"cpus", usable_cpus()}});
  } else {
    print(format("clipnext %s, kernels %s, %d cpus\n", CLIPNEXT_VERSION, isa, usable_cpus()));
  }
}

}  // namespace

void add_version(CLI::App& app) {
  auto o = std::make_shared<CommonOptions>();
  CLI::App* cmd = app.add_subcommand("version", "version, instruction set in use, processors");
  add_common_options(*cmd, *o);
  cmd->footer("Example:\n  clipnext version --json");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli

// The program: a list of commands, and errors translated to one line and an exit status.
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "model/nearest.h"
#include "run/parse_options.h"

namespace clipnext::cli {
namespace {

enum ExitStatus { kDone = 0, kFailed = 1, kWrongCommandLine = 2, kMissed = 3, kInterrupted = 130 };

constexpr std::array kCommands = {
    add_classify, add_embed,  add_similarity, add_tokenize, add_preprocess, add_inspect,
    add_convert,  add_models, add_profile,    add_verify,   add_bench,      add_eval,
    add_demo,     add_report, add_train,      add_version,
};

int complain(const std::string& message, ExitStatus status) {
  // Whatever was printed belongs before the complaint.
  std::fflush(stdout);
  std::fprintf(stderr, "clipnext: %s\n", message.c_str());
  return status;
}

// What is wrong with the command line, and where to look.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  if (!chosen.empty()) {
    return std::string(error.what()) + " (clipnext " + chosen.front()->get_name() + " --help)";
  }
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  const std::vector<std::string> unknown = app.remaining();
  if (unknown.empty()) return "a command is required (clipnext --help)";
  return "there is no command or option \"" + unknown.front() + "\"" +
         model::did_you_mean(unknown.front(), names) + " (clipnext --help)";
}

int run(int argc, char** argv) {
  CLI::App app("CLIP models, natively: names, vectors and similarities of images and texts",
               "clipnext");
  app.require_subcommand(1);
  app.set_version_flag("--version", "clipnext " CLIPNEXT_VERSION);
  app.footer("clipnext COMMAND --help shows a command's options and examples.");
  for (const auto add : kCommands) add(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return complain(explain(app, error), kWrongCommandLine);
  }
  // A full disk shows only here.
  require(std::fflush(stdout) == 0 && std::ferror(stdout) == 0,
          "standard output cannot be written (is the disk full?)");
  return kDone;
}

}  // namespace
}  // namespace clipnext::cli

int main(int argc, char** argv) {
  using namespace clipnext;
  catch_interrupts();
  try {
    return cli::run(argc, argv);
  } catch (const Interrupted& error) {
    return cli::complain(error.what(), cli::kInterrupted);
  } catch (const run::UsageError& error) {
    return cli::complain(std::string(error.what()) + " (clipnext train --help)",
                         cli::kWrongCommandLine);
  } catch (const ExpectationMissed& error) {
    return cli::complain(error.what(), cli::kMissed);
  } catch (const std::bad_alloc&) {
    return cli::complain("out of memory", cli::kFailed);
  } catch (const std::exception& error) {
    return cli::complain(error.what(), cli::kFailed);
  }
}

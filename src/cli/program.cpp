#include "cli/program.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
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

void add_commands(CLI::App& app, Backend& backend) {
  add_classify(app, backend);
  add_embed(app, backend);
  add_similarity(app, backend);
  add_tokenize(app);
  add_preprocess(app);
  add_inspect(app);
  add_convert(app);
  add_package(app);
  add_models(app);
  add_pull(app);
  add_profile(app);
  add_verify(app);
  add_bench(app, backend);
  add_eval(app, backend);
  add_demo(app, backend);
  add_report(app);
  add_soup(app, backend);
  add_train(app);
  add_version(app);
}

int complain(const std::string& message, ExitStatus status) {
  // Whatever was printed belongs before the complaint.
  std::fflush(stdout);
  std::fprintf(stderr, "clipnext: %s\n", message.c_str());
  return status;
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// What is wrong with the command line, and where to look.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  if (!chosen.empty()) {
    const CLI::App& command = *chosen.front();
    const std::vector<std::string> unknown = command.remaining();
    const std::vector<std::string> names = names_of_commands(command);
    const bool wants_another = command.get_require_subcommand_min() > 0;
    if (wants_another && command.get_subcommands().empty() && !unknown.empty()) {
      return command.get_name() + " has no \"" + unknown.front() + "\"" +
             model::did_you_mean(unknown.front(), names) + " (clipnext " + command.get_name() +
             " --help)";
    }
    return std::string(error.what()) + " (clipnext " + chosen.front()->get_name() + " --help)";
  }
  const std::vector<std::string> names = names_of_commands(app);
  const std::vector<std::string> unknown = app.remaining();
  if (unknown.empty()) return "a command is required (clipnext --help)";
  return "there is no command or option \"" + unknown.front() + "\"" +
         model::did_you_mean(unknown.front(), names) + " (clipnext --help)";
}

int run(int argc, char** argv, Backend& backend) {
  CLI::App app("CLIP models, natively: names, vectors and similarities of images and texts",
               "clipnext");
  app.require_subcommand(1);
  app.set_version_flag("--version", "clipnext " CLIPNEXT_VERSION);
  app.footer("clipnext COMMAND --help shows a command's options and examples.");
  add_commands(app, backend);
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

int exit_status_of(const std::function<int()>& work) {
  try {
    return work();
  } catch (const Interrupted& error) {
    return complain(error.what(), kInterrupted);
  } catch (const run::UsageError& error) {
    return complain(std::string(error.what()) + " (clipnext train --help)", kWrongCommandLine);
  } catch (const ExpectationMissed& error) {
    return complain(error.what(), kMissed);
  } catch (const std::bad_alloc&) {
    return complain("out of memory", kFailed);
  } catch (const std::exception& error) {
    return complain(error.what(), kFailed);
  }
}

int run_program(int argc, char** argv, Backend& backend) {
  catch_interrupts();
  return exit_status_of([&] { return run(argc, argv, backend); });
}

}  // namespace clipnext::cli

// Every command adds itself to the program's command line.
#pragma once

#include <CLI/App.hpp>

#include "cli/backend.h"

namespace clipnext::cli {

/// A backend must outlive the command line.
void add_classify(CLI::App& app, Backend& backend);
void add_embed(CLI::App& app, Backend& backend);
void add_similarity(CLI::App& app, Backend& backend);
void add_tokenize(CLI::App& app);
void add_preprocess(CLI::App& app);
void add_inspect(CLI::App& app);
void add_convert(CLI::App& app);
void add_package(CLI::App& app);
void add_models(CLI::App& app);
void add_pull(CLI::App& app);
void add_profile(CLI::App& app);
void add_verify(CLI::App& app);
void add_bench(CLI::App& app, Backend& backend);
void add_eval(CLI::App& app, Backend& backend);
void add_demo(CLI::App& app, Backend& backend);
void add_report(CLI::App& app);
void add_soup(CLI::App& app, Backend& backend);
void add_train(CLI::App& app);
void add_version(CLI::App& app);

}  // namespace clipnext::cli

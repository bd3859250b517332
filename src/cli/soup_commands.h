// The larger ones of the subcommands of `clipnext soup`; each adds itself.
#pragma once

#include <CLI/App.hpp>

#include "cli/backend.h"

namespace clipnext::cli {

void add_soup_interp(CLI::App& app, Backend& backend);
void add_soup_greedy(CLI::App& app, Backend& backend);
void add_soup_inspect(CLI::App& app);

}  // namespace clipnext::cli

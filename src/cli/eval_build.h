// clipnext eval build: one table of many results.
#pragma once

#include <CLI/App.hpp>

namespace clipnext::cli {

void add_eval_build(CLI::App& eval_command);

}  // namespace clipnext::cli

// clipnext eval report: a page about results.
#pragma once

#include <CLI/App.hpp>

namespace clipnext::cli {

void add_eval_report(CLI::App& eval_command);

}  // namespace clipnext::cli

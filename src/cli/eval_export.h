// clipnext eval export: a data set as webdataset shards.
#pragma once

#include <CLI/App.hpp>

namespace clipnext::cli {

void add_eval_export(CLI::App& eval_command);

}  // namespace clipnext::cli

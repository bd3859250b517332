// Every command adds itself to the program's command line.
#pragma once

#include <CLI/App.hpp>

namespace clipnext::cli {

void add_classify(CLI::App& app);
void add_embed(CLI::App& app);
void add_similarity(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_preprocess(CLI::App& app);
void add_inspect(CLI::App& app);
void add_convert(CLI::App& app);
void add_models(CLI::App& app);
void add_profile(CLI::App& app);
void add_verify(CLI::App& app);
void add_bench(CLI::App& app);
void add_eval(CLI::App& app);
void add_demo(CLI::App& app);
void add_report(CLI::App& app);
void add_train(CLI::App& app);
void add_version(CLI::App& app);

}  // namespace clipnext::cli

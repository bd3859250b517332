// eval --expect: measured figures against those that should have been measured, and first suspects.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/eval_model.h"
#include "cli/eval_options.h"
#include "datasets/dataset.h"
#include "eval/results.h"
#include "eval/runs.h"

namespace clipnext::cli {

/// Opens a run's data set again, with the templates of --custom_template_file or its own.
using OpenAgain = std::function<datasets::Dataset(const eval::Run&, bool custom)>;

struct EvaluatedRun {
  eval::Run run;
  eval::RunResult result;
};

/// Prints a table of verdicts for each model, looks for suspects of figures that were missed, and
/// throws ExpectationMissed (exit status 3) if there are any.
void check_expectations(const EvalOptions& options, const std::vector<EvaluatedRun>& runs,
                        EvalModels& models, const OpenAgain& open);

}  // namespace clipnext::cli

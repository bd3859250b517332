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

struct EvaluatedRun {
  eval::Run run;
  eval::RunResult result;
};

/// Prints a table of verdicts for each model, looks for suspects of figures that were missed, and
/// throws ExpectationMissed (exit status 3) if there are any. `open` opens a run's data set again.
void check_expectations(const EvalOptions& options, const std::vector<EvaluatedRun>& runs,
                        EvalModels& models,
                        const std::function<datasets::Dataset(const eval::Run&)>& open);

}  // namespace clipnext::cli

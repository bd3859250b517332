// The tasks behind evaluate(): each takes a data set of its kind and fills in what it measured.
#pragma once

#include <span>
#include <string>

#include "eval/evaluate.h"
#include "eval/features.h"

namespace clipnext::eval {

/// What every task is given.
struct TaskInput {
  const Run& run;
  const std::string& task;
  const RunData& data;
  const Subject& subject;
  ThreadPool& pool;
  const TaskOptions& options;
};

void zero_shot_classification(const TaskInput& in, Evaluation& out);
void zero_shot_retrieval(const TaskInput& in, Evaluation& out);
void image_caption_selection(const TaskInput& in, Evaluation& out);
void probe_features(const TaskInput& in, Evaluation& out);

/// The pictures of the test split as unit vectors; what was left out is noted in `out`.
Features test_features(const TaskInput& in, Evaluation& out);

/// Where the vectors of a run are kept: by name in --feature_root for those that stay.
FeaturePlace feature_place(const TaskInput& in, const std::string& name, bool keep);

/// Adds a share to the metrics' confidence intervals.
void add_confidence(Evaluation& out, const std::string& metric, int64_t hits, int64_t trials);

}  // namespace clipnext::eval

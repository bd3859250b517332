// One run, from an opened data set to metrics: the tasks of CLIP_benchmark.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "datasets/dataset.h"
#include "eval/results.h"
#include "eval/runs.h"
#include "model/embedder.h"
#include "pipeline/embedded.h"
#include "text/tokenizer.h"

namespace clipnext::eval {

/// How a run is evaluated, with CLIP_benchmark's defaults.
struct TaskOptions {
  bool strict_reference = false;  // fails where CLIP_benchmark fails
  std::vector<int64_t> recall_k = {5};
  int64_t fewshot_k = -1;  // examples of each class; below 0: all
  int64_t fewshot_epochs = 10;
  double fewshot_lr = 0.1;
  std::string lp_solver = "adamw";  // or lbfgs
  int64_t seed = 0;
  int64_t batch_size = 64;  // of the linear probe; elsewhere results do not depend on it
  bool normalize = true;    // features of the linear probe
  std::string feature_root = "features";
  bool cache_features = false;  // other tasks keep theirs there, too
  std::filesystem::path cache;  // for what is kept while a run lasts; empty: nothing is
  std::string save_clf;
  std::vector<std::string> load_clfs;
  std::string logits_out;
  bool confidence = false;
  pipeline::OnBad on_bad = pipeline::OnBad::kFail;
  bool fast_decode = false;
  bool quiet = false;
};

/// What is evaluated. Null where cached features are all that is needed.
struct Subject {
  model::Embedder* embedder = nullptr;
  const text::Tokenizer* tokenizer = nullptr;
};

/// The data sets of a run. Where the features are all on disk, `test` is null.
struct RunData {
  const datasets::Dataset* test = nullptr;
  const datasets::Dataset* train = nullptr;  // linear_probe
  const datasets::Dataset* val = nullptr;    // linear_probe, if it has one
};

struct Evaluation {
  OrderedJson metrics = OrderedJson::object();
  Details details;
  std::vector<std::string> warnings;
};

/// Throws Error if the data set is of another kind than the task (one of --task, never auto) takes.
Evaluation evaluate(const Run& run, const std::string& task, const RunData& data,
                    const Subject& subject, ThreadPool& pool, const TaskOptions& options);

}  // namespace clipnext::eval

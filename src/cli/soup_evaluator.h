// What scores a soup before it is written: data sets evaluated in this process, or a command.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/soup_run.h"
#include "datasets/dataset.h"
#include "eval/evaluate.h"
#include "soup/score_file.h"

namespace clipnext::cli {

struct EvaluatorOptions {
  std::vector<std::string> datasets;
  std::string dataset_root = "root";
  std::string split = "test";
  std::string language = "en";
  std::string annotation_file, custom_classname_file, custom_template_file;
  std::vector<int64_t> recall_k = {5};
  std::string precision = "auto";
  std::string command;
  std::string metric;
  std::filesystem::path scores;  // empty: beside the output
  bool test_data_allowed = false;

  bool given() const { return !datasets.empty() || !command.empty(); }
};

void add_evaluator_options(CLI::App& command, EvaluatorOptions& options);

/// Throws CLI::ValidationError for options that make no sense together and, with `selects`, for the
/// test split of a published benchmark: a figure by which a model was chosen says nothing of it.
void check_evaluator_options(const EvaluatorOptions& options, bool selects);

/// Scores plans, and keeps the scores in a file as it goes.
class SoupEvaluator {
 public:
  /// Opens the data sets and hashes the ingredients. `place` is the folder to be written, beside
  /// which candidates for a command and the scores lie.
  SoupEvaluator(const EvaluatorOptions& options, const SoupOptions& soup_options, const Pot& pot,
                Backend& backend, std::filesystem::path place);

  /// Every figure of the average of those members of the pot; `weights` as in soup::Options.
  soup::Scores score(const std::vector<size_t>& members, const std::vector<double>& weights = {});
  /// The one that counts: the metric's mean over the data sets. Throws Error if it is not there.
  double value(const soup::Scores& scores) const;
  const std::string& metric() const { return metric_; }
  /// Names of the figures that value() is the mean of.
  std::vector<std::string> value_names() const;
  /// For people: "wds/held-out (test)" or the command.
  std::string description() const;
  /// Scores that were in the file already.
  size_t known() const { return known_; }
  /// Removes the file of scores, unless the user named it.
  void forget();

 private:
  soup::Scores compute(const soup::Plan& plan, std::span<const soup::Ingredient> ingredients);
  soup::Scores run_command(const soup::Plan& plan, std::span<const soup::Ingredient> ingredients);
  std::string identity() const;
  std::string score_name(size_t dataset, const std::string& metric) const;

  const EvaluatorOptions& options_;
  const SoupOptions& soup_options_;
  const Pot& pot_;
  Backend& backend_;
  std::filesystem::path place_;
  ThreadPool pool_;
  std::vector<datasets::Dataset> datasets_;
  std::vector<std::string> tasks_;
  std::vector<std::string> sha256_;
  std::string metric_;
  soup::ScoreFile file_;
  size_t known_ = 0;
};

/// The one JSON object that an evaluator's output holds, alone or on its last line: its numbers,
/// those of a member `metrics` too. Throws Error that names `source`.
soup::Scores parse_scores(std::string_view output, const std::string& source);

}  // namespace clipnext::cli

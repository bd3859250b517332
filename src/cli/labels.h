// Labels and templates from the command line, for the commands that name pictures.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/zero_shot.h"
#include "model/embedder.h"

namespace clipnext::cli {

struct LabelOptions {
  std::string labels;
  std::string labels_file;
  std::vector<std::string> templates;
  std::string templates_file;
  bool no_cache = false;
};
void add_label_options(CLI::App& command, LabelOptions& options);

/// The labels of --labels (split at commas) or --labels-file (one a line), trimmed; an empty one is
/// an error, and so is none at all.
std::vector<std::string> read_labels(const LabelOptions& options);
/// The templates of --template and --templates-file; "{}" without either.
std::vector<std::string> read_templates(const LabelOptions& options);

/// eval::make_classifier with a progress line.
eval::Classifier make_classifier(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                                 std::vector<std::string> labels,
                                 const std::vector<std::string>& templates,
                                 const eval::ClassCache& cache = {});
/// The user's cache, or with --no-cache none.
eval::ClassCache class_cache(const LabelOptions& options);

/// "   92.1%  cat", one for each prediction.
std::vector<std::string> prediction_lines(const eval::Classifier& classifier,
                                          const std::vector<eval::Prediction>& predictions);

/// [{"label", "probability", "similarity"}], one for each prediction.
OrderedJson predictions_json(const eval::Classifier& classifier,
                             const std::vector<eval::Prediction>& predictions);

}  // namespace clipnext::cli

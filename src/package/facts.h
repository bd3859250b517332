// What a model card is made of: facts found on disk and texts that the user gave, nothing else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/report.h"
#include "model/config.h"
#include "package/soup.h"
#include "run/curves.h"

namespace clipnext::package {

/// What the user says of the model, as Markdown of their own; empty where nothing was said.
struct UserTexts {
  std::string description;
  std::string data;  // what it was trained on
  std::string acknowledgements;
  std::string citation;  // BibTeX
};

/// A training run, from its folder.
struct TrainingRun {
  run::RunCurves curves;  // with the options of params.txt
  /// The last line of results.jsonl: numbers by name.
  std::vector<std::pair<std::string, double>> results;
};

inline constexpr const char* kTrainingChart = "training.svg";
inline constexpr const char* kEvaluationChart = "evaluation.svg";

struct CardFacts {
  std::string name;
  std::string license;  // an identifier of the hub: mit, apache-2.0; empty: not given
  UserTexts texts;
  model::ClipConfig config;
  std::string dtypes;                           // "F16", or "BF16, F32"
  std::map<std::string, std::string> metadata;  // of a training checkpoint: epoch, name, ...
  std::optional<Soup> soup;
  std::vector<TrainingRun> runs;
  eval::ReportData evaluations;
};

/// The folders that --logs names, as `clipnext report` takes them; what is passed over is named in
/// `notes`. Throws Error if no run is left, or a file in one is damaged.
std::vector<TrainingRun> read_runs(const std::vector<std::string>& folders,
                                   std::vector<std::string>& notes);

/// An option of params.txt; empty if it is not there, or says nothing (None, False, an empty text).
std::string param(const TrainingRun& run, const std::string& name);

/// Pictures of the card, by file name: kTrainingChart (loss over steps, all runs), kEvaluationChart
/// (the zero-shot curve of `clipnext eval report`). Those that there is no data for are left out.
std::map<std::string, std::string> charts(const CardFacts& facts);

}  // namespace clipnext::package

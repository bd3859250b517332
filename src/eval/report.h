// One page about any number of evaluations: everything in it, nothing fetched, no scripts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/predictions.h"
#include "eval/results.h"
#include "page/svg_chart.h"

namespace clipnext::eval {

struct ReportRun {
  std::filesystem::path path;
  RunResult result;
  std::optional<Details> details;
};

struct ReportData {
  std::vector<ReportRun> runs;
  std::vector<Predictions> predictions;
  std::vector<std::string> notes;  // files that were passed over, and why
};

/// Reads results and predictions: files as given, which must be one or the other; of folders those
/// whose names end in .json or .jsonl, others among which become notes. Details are taken from
/// beside each result where they are. Throws Error if nothing is found.
ReportData read_report(std::span<const std::string> paths);

enum class ChartAxis : uint8_t { kGmac, kSamplesSeen };

struct ReportOptions {
  std::string title = "Zero-shot evaluation";
  ChartAxis axis = ChartAxis::kGmac;
  std::string chart_dataset = {};  // empty: ImageNet, or the one that most runs have
};

/// The zero-shot curve: the main metric on one data set over the multiply-adds for an image, or
/// over the samples seen in training (which tags such as laion2b_s34b_b88k tell), with the
/// published checkpoints for comparison. Nothing if no run has both.
std::optional<page::Chart> zero_shot_chart(const ReportData& data, const ReportOptions& options);

/// The page: HTML in UTF-8. Pictures are read from where the predictions say they lie; those that
/// are not there become placeholders.
std::string report_html(const ReportData& data, const ReportOptions& options);

/// 34e9 of "laion2b_s34b_b88k"; nothing of a tag that does not say.
std::optional<double> samples_seen(const std::string& tag);

/// A small JPEG of a picture as a data: URL; empty if it cannot be read.
std::string picture_url(const PredictedImage& image);

}  // namespace clipnext::eval

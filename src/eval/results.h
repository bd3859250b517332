// The files an evaluation leaves: results as CLIP_benchmark writes them, and beside each what it
// has no place for (docs/formats.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace clipnext::eval {

/// One run: a model on a data set.
struct RunResult {
  std::string dataset;     // as given, with wds/ or vtab/
  std::string model;       // "convnext_base_w"
  std::string pretrained;  // the tag, or a path
  std::string task;        // "zeroshot_classification"
  /// By name: numbers, true or false. Fractions, never per cent; NaN where undefined. Null: the run
  /// gave none (too few examples of a class).
  OrderedJson metrics = OrderedJson::object();
  std::string language = "en";
  std::optional<std::vector<std::string>> classnames;  // where they were asked for
  OrderedJson templates;                      // the same: a list, or lists by class; null if not
  OrderedJson other = OrderedJson::object();  // members that are none of these, when read
};

/// One line, as Python's json.dump writes it, members in CLIP_benchmark's order; without a line
/// end. NaN is bare, or null with `strict`.
std::string to_json_line(const RunResult& result, bool strict = false);

/// to_json_line to a file, which appears whole or not at all; its folders are made.
void write_result(const std::filesystem::path& path, const RunResult& result, bool strict = false);

/// Reads what either program wrote. Throws Error that names the file and says what is missing or of
/// the wrong kind, so that a file of another kind is not taken for a result.
RunResult read_result(const std::filesystem::path& path);
/// The same for an object already parsed (parse_python_json).
RunResult result_from_json(const OrderedJson& json, const std::string& source);

/// A metric's value; nothing if it is not there, null, NaN or no number.
std::optional<double> metric(const RunResult& result, std::string_view name);

/// What a run took, and what it left out: OUTPUT.json.details.
struct Details {
  int64_t images = 0;
  struct Skipped {
    std::string image, reason;
  };
  std::vector<Skipped> skipped;
  struct Interval {
    std::string metric;
    double low = 0, high = 0;
  };
  std::vector<Interval> confidence;  // of the metrics that are shares
  double seconds = 0;
  double images_per_second = 0;
  double gmac_image = 0;  // multiply-adds for one image, 1e9
  double gmac_text = 0;   // for one text of full length
  double parameters_million = 0;
  std::string dtype;  // "fp32"
  std::string isa;    // of the kernels: "avx2"
  std::string version;
};

/// OUTPUT.json to OUTPUT.json.details.
std::filesystem::path details_path(const std::filesystem::path& result);
void write_details(const std::filesystem::path& path, const Details& details);
/// Throws Error that names the file.
Details read_details(const std::filesystem::path& path);

/// The files directly in a folder whose names end like one of those, by name. Throws Error if it
/// cannot be read.
std::vector<std::filesystem::path> files_ending(const std::filesystem::path& folder,
                                                std::span<const std::string_view> endings);

/// The results in files and folders: a file that is given must be one; of a folder those directly
/// in it whose names end in .json are read, by name, and any that is no result is passed over, with
/// the reason added to `passed_over`.
std::vector<RunResult> read_results(std::span<const std::string> paths,
                                    std::vector<std::string>& passed_over);

/// A table with a row for each result, as Python's csv module writes it: dataset, model,
/// pretrained, task, language, model_fullname, then every metric that occurs by name, then other
/// members by name. What a result does not have is an empty cell.
std::string results_csv(std::span<const RunResult> results);

}  // namespace clipnext::eval

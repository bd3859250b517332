// What an evaluation should have measured, and whether it did (spec: evaluation, verification
// policy).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/published.h"
#include "eval/results.h"

namespace clipnext::eval {

/// How numbers were computed; the coarser, the more may differ.
enum class Precision : uint8_t { kFp32, kHalf, kInt8 };

struct Expectations {
  std::string source;  // for people: the file, or the model's published figures
  std::vector<Figure> figures = {};
  /// Whether a data set that was not evaluated counts as missed: the user's own list does, the
  /// long published ones do not.
  bool complete = false;
};

/// The figures that `what` names:
/// - "builtin": those published for the model and tag;
/// - a Hugging Face repository, "laion/CLIP-..." with or without "hf-hub:": those published for it;
/// - a JSON file: {"figures": [{"dataset", "metric", "value", "n"?, "tolerance"?}, ...]} with
/// values
///   and tolerances as fractions; or a result, or a list of results, whose metrics are then to be
///   reached again.
/// Throws Error that says what is wrong with the file, or that there are no such figures.
Expectations read_expectations(const std::string& what, const std::string& model,
                               const std::string& pretrained);

enum class Outcome : uint8_t {
  kMatch,
  kDeviation,
  kMissing,    // not measured
  kNotJudged,  // no target, or too few samples to judge int8 by
};

struct Verdict {
  Figure figure;
  Outcome outcome = Outcome::kMissing;
  std::optional<double> measured;
  double difference = 0;  // measured - expected; a fraction, as is
  double tolerance = 0;
  std::optional<double> samples_apart =
      {};                // the difference in samples, where their number is known
  std::string why = {};  // for kMissing and kNotJudged
};

/// How far a right program may be from the figure.
double tolerance(const Figure& figure, Precision precision);

/// Compares one measured value.
Verdict judge(const Figure& figure, std::optional<double> measured, Precision precision);

/// Looks every figure up in the zero-shot results of one model, which are told apart by data set.
/// Where several languages were measured, the first result of a data set counts.
std::vector<Verdict> compare(std::span<const RunResult> results, const Expectations& expected,
                             Precision precision);

/// Whether anything deviates or is missing, or nothing could be compared: exit status 3.
bool missed(std::span<const Verdict> verdicts);

/// A table for people, differences in points.
std::string verdict_table(std::span<const Verdict> verdicts);
/// [{"dataset", "metric", "verdict", "measured", "expected", "difference", "tolerance", ...}].
OrderedJson verdict_json(std::span<const Verdict> verdicts);

}  // namespace clipnext::eval

#include "eval/expected.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/python_json.h"
#include "datasets/dataset.h"
#include "eval/json_members.h"
#include "model/registry.h"

namespace clipnext::eval {
namespace {

constexpr double kPoint = 0.01;

// The general rule: the largest of a share, a number of samples and a column of the scatter.
struct Rule {
  double share;
  double samples;
  bool largest_scatter;      // or twice the median
  double average_precision;  // for mAP instead
};
constexpr Rule kFp32 = {0.10 * kPoint, 3, false, 0.10 * kPoint};
constexpr Rule kHalf = {0.20 * kPoint, 5, true, 0.20 * kPoint};
constexpr Rule kInt8 = {0.50 * kPoint, 8, true, 0.50 * kPoint};
constexpr Rule kOlder = {0.15 * kPoint, 5, true, 0.20 * kPoint};
constexpr int64_t kLeastInt8Samples = 5000;

// Where the general rule does not hold: near chance, answers flip in bulk; the worst of many groups
// is a small group.
struct Exception {
  std::string_view part;  // of the data set's name
  double tolerance;
};
constexpr std::array kExceptions = {
    Exception{"fmow", 1.0 * kPoint},      Exception{"dollar_street", 1.0 * kPoint},
    Exception{"geode", 1.0 * kPoint},     Exception{"clevr", 1.5 * kPoint},
    Exception{"kitti", 1.5 * kPoint},     Exception{"pcam", 1.5 * kPoint},
    Exception{"camelyon", 1.5 * kPoint},  Exception{"dsprites", 1.5 * kPoint},
    Exception{"smallnorb", 1.5 * kPoint}, Exception{"diabetic_retinopathy", 1.5 * kPoint},
    Exception{"dmlab", 1.5 * kPoint},     Exception{"iwildcam", 0.5 * kPoint},
};

double by_rule(const Rule& rule, const Figure& figure) {
  if (figure.metric == "mean_average_precision") return rule.average_precision;
  double most = rule.share;
  if (figure.samples) most = std::max(most, rule.samples / static_cast<double>(*figure.samples));
  if (const auto scatter = published_scatter(figure.dataset, figure.metric)) {
    most = std::max(most, rule.largest_scatter ? scatter->max : 2 * scatter->median);
  }
  return most;
}

// Both names of a data set that lies under vtab/ are one.
bool same_dataset(const std::string& a, const std::string& b) {
  const auto plain = [](const std::string& name) {
    const std::string short_name = datasets::short_name(name);
    return short_name.starts_with("vtab/") ? short_name.substr(5) : short_name;
  };
  return plain(a) == plain(b);
}

Figure read_figure(const OrderedJson& json, const std::string& source) {
  Figure figure{.dataset = datasets::short_name(text_member(json, "dataset", source)),
                .metric = text_member(json, "metric", source),
                .value = number_member(json, "value", source)};
  require(figure.value <= 1, source, ": the value of ", figure.dataset, " is ", figure.value,
          ", expected a fraction (0.75, not 75)");
  if (json.contains("n")) figure.samples = whole_member(json, "n", source, 1);
  if (json.contains("tolerance")) figure.tolerance = number_member(json, "tolerance", source);
  return figure;
}

// The shares among a result's metrics.
void add_result(const OrderedJson& json, const std::string& source, std::vector<Figure>& figures) {
  const RunResult result = result_from_json(json, source);
  require(!result.metrics.is_null(), source, ": a result without metrics");
  for (const auto& [name, value] : result.metrics.items()) {
    const auto number = metric(result, name);
    if (!number || !value.is_number_float()) continue;  // NaN; settings of a linear probe
    require(*number >= 0 && *number <= 1, source, ": ", name, " is no fraction");
    figures.push_back(
        {.dataset = datasets::short_name(result.dataset), .metric = name, .value = *number});
  }
}

Expectations read_card(const std::string& path) {
  constexpr int64_t kMaxBytes = int64_t{64} << 20;
  const OrderedJson json = parse_python_json(read_file(path, kMaxBytes), path);
  Expectations expected{.source = path, .complete = true};
  if (json.is_object() && json.contains("figures")) {
    const OrderedJson& figures = json.at("figures");
    require(figures.is_array(), path, ": \"figures\" is no list");
    for (const OrderedJson& figure : figures) expected.figures.push_back(read_figure(figure, path));
  } else if (json.is_array()) {
    for (const OrderedJson& result : json) add_result(result, path, expected.figures);
  } else if (json.is_object() && json.contains("metrics")) {
    add_result(json, path, expected.figures);
  } else {
    fail(path, ": neither {\"figures\": [...]} nor a result of an evaluation, nor a list of those");
  }
  require(!expected.figures.empty(), path, ": no figures in it");
  return expected;
}

Expectations published(const std::string& model, const std::string& pretrained) {
  const PublishedModel* found = find_published(model, pretrained);
  if (found == nullptr) {
    std::string known;
    for (const PublishedModel& one : published_models()) {
      known += "\n  " + one.model + "," + one.pretrained;
    }
    fail("no published figures of ", model, ",", pretrained,
         " are known; give --expect a JSON file of them, or the repository of one of", known);
  }
  return {.source = "published figures of " + found->model + "," + found->pretrained,
          .figures = found->figures};
}

// The value of a metric, or of one that follows from others.
std::optional<double> measured_value(const RunResult& result, const std::string& name) {
  if (const auto value = metric(result, name)) return value;
  constexpr std::string_view kMeanRecall = "mean_recall@";
  if (!name.starts_with(kMeanRecall)) return std::nullopt;
  const std::string k = name.substr(kMeanRecall.size());
  const auto image = metric(result, "image_retrieval_recall@" + k);
  const auto text = metric(result, "text_retrieval_recall@" + k);
  if (!image || !text) return std::nullopt;
  return (*image + *text) / 2;
}

const char* outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kMatch:
      return "match";
    case Outcome::kDeviation:
      return "deviation";
    case Outcome::kMissing:
      return "missing";
    case Outcome::kNotJudged:
      return "not judged";
  }
  return "";
}

std::string row(const Verdict& verdict) {
  const auto number = [](const char* pattern, double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), pattern, value);
    return std::string(text.data());
  };
  const auto pad = [](const std::string& text, size_t width, bool right = true) {
    const std::string space(text.size() < width ? width - text.size() : 0, ' ');
    return right ? space + text : text + space;
  };
  std::string line =
      pad(verdict.figure.dataset, 34, false) + " " + pad(verdict.figure.metric, 26, false) + " ";
  line += pad(verdict.measured ? number("%.4f", *verdict.measured) : "-", 8);
  line += pad(number("%.4f", verdict.figure.value), 9);
  line += pad(verdict.measured ? number("%+.2f", verdict.difference / kPoint) : "-", 8);
  line += pad(number("%.2f", verdict.tolerance / kPoint), 7);
  line += pad(verdict.samples_apart ? number("%+.1f", *verdict.samples_apart) : "-", 9);
  line += std::string("  ") + outcome_name(verdict.outcome);
  if (!verdict.why.empty()) line += ": " + verdict.why;
  return line + "\n";
}

}  // namespace

Expectations read_expectations(const std::string& what, const std::string& model,
                               const std::string& pretrained) {
  if (what == "builtin") return published(model, pretrained);
  std::error_code ignored;
  if (std::filesystem::exists(what, ignored)) return read_card(what);
  constexpr std::string_view kHub = "hf-hub:";
  const std::string repo = what.starts_with(kHub) ? what.substr(kHub.size()) : what;
  for (const model::PretrainedTag& tag : model::pretrained_tags()) {
    if (tag.repo == repo && find_published(tag.config, tag.tag) != nullptr) {
      return published(tag.config, tag.tag);
    }
  }
  fail("--expect ", what,
       ": neither a file, nor \"builtin\", nor a repository with published figures");
}

double tolerance(const Figure& figure, Precision precision) {
  if (figure.tolerance) return *figure.tolerance;
  for (const Exception& exception : kExceptions) {
    if (figure.dataset.find(exception.part) != std::string::npos) return exception.tolerance;
  }
  const Rule& rule = precision == Precision::kFp32   ? kFp32
                     : precision == Precision::kHalf ? kHalf
                                                     : kInt8;
  const double most = by_rule(rule, figure);
  return figure.source == FigureSource::kOlder ? std::max(most, by_rule(kOlder, figure)) : most;
}

Verdict judge(const Figure& figure, std::optional<double> measured, Precision precision) {
  Verdict verdict{.figure = figure, .measured = measured};
  verdict.tolerance = tolerance(figure, precision);
  if (!measured) {
    verdict.why = "was not measured";
    return verdict;
  }
  verdict.difference = *measured - figure.value;
  if (figure.samples) {
    verdict.samples_apart = verdict.difference * static_cast<double>(*figure.samples);
  }
  constexpr double kRounding = 1e-9;
  const bool near = std::abs(verdict.difference) <= verdict.tolerance + kRounding;
  verdict.outcome = near ? Outcome::kMatch : Outcome::kDeviation;
  if (!figure.no_target.empty()) {
    verdict.outcome = Outcome::kNotJudged;
    verdict.why = figure.no_target;
  } else if (!near && precision == Precision::kInt8 && !figure.tolerance && figure.samples &&
             *figure.samples < kLeastInt8Samples) {
    verdict.outcome = Outcome::kNotJudged;
    verdict.why =
        "int8 is not judged by fewer than " + std::to_string(kLeastInt8Samples) + " samples";
  }
  return verdict;
}

std::vector<Verdict> compare(std::span<const RunResult> results, const Expectations& expected,
                             Precision precision) {
  std::vector<Verdict> verdicts;
  for (const Figure& figure : expected.figures) {
    const bool probe = figure.metric.starts_with("lp_");
    const auto result = std::find_if(results.begin(), results.end(), [&](const RunResult& one) {
      return same_dataset(one.dataset, figure.dataset) && (one.task == "linear_probe") == probe;
    });
    if (result == results.end()) {
      if (!expected.complete) continue;
      Verdict verdict = judge(figure, std::nullopt, precision);
      verdict.why = "the data set was not evaluated";
      verdicts.push_back(std::move(verdict));
      continue;
    }
    const auto measured = measured_value(*result, figure.metric);
    if (measured || expected.complete) verdicts.push_back(judge(figure, measured, precision));
  }
  return verdicts;
}

bool missed(std::span<const Verdict> verdicts) {
  bool any_match = false;
  for (const Verdict& verdict : verdicts) {
    if (verdict.outcome == Outcome::kDeviation || verdict.outcome == Outcome::kMissing) return true;
    any_match |= verdict.outcome == Outcome::kMatch;
  }
  return !any_match;
}

std::string verdict_table(std::span<const Verdict> verdicts) {
  std::string table =
      "data set                           metric                     measured expected  points"
      "  allow  samples  verdict\n";
  for (const Verdict& verdict : verdicts) table += row(verdict);
  if (verdicts.empty()) table += "(no figure is known of what was measured)\n";
  return table;
}

OrderedJson verdict_json(std::span<const Verdict> verdicts) {
  OrderedJson list = OrderedJson::array();
  for (const Verdict& verdict : verdicts) {
    OrderedJson json = {{"dataset", verdict.figure.dataset},
                        {"metric", verdict.figure.metric},
                        {"verdict", outcome_name(verdict.outcome)},
                        {"measured", nullptr},
                        {"expected", verdict.figure.value},
                        {"difference", nullptr},
                        {"tolerance", verdict.tolerance}};
    if (verdict.measured) {
      json["measured"] = *verdict.measured;
      json["difference"] = verdict.difference;
    }
    if (verdict.samples_apart) json["samples"] = *verdict.samples_apart;
    if (!verdict.why.empty()) json["why"] = verdict.why;
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace clipnext::eval

#include "run/curves.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/natural_order.h"
#include "base/text_lines.h"
#include "run/console.h"
#include "run/log_file.h"
#include "run/logs.h"

namespace clipnext::run {
namespace {

namespace fs = std::filesystem;

// Points by step while they are collected: the last one of a step stays.
using Points = std::map<std::string, std::map<double, double>>;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_run(const RunPaths& paths) { return is_file(paths.scalars()) || is_file(paths.log()); }

void add_json_lines(const fs::path& path, Points& points) {
  for (const OrderedJson& line : read_json_lines(path)) {
    const auto step = line.value("step", 0.0);
    for (const auto& [name, value] : line.items()) {
      if (name.find('/') != std::string::npos && value.is_number()) {
        points[name][step] = value.get<double>();
      }
    }
  }
}

// The console says which sample of an epoch it is at, not which step: samples are steps of
// one sample.
void add_train_line(const TrainLine& line, Points& points) {
  const auto at = static_cast<double>(line.epoch * line.samples_per_epoch + line.samples);
  points["train/data_time"][at] = line.data_time;
  points["train/batch_time"][at] = line.batch_time;
  points["train/samples_per_second"][at] = line.samples_per_second;
  points["train/lr"][at] = line.lr;
  points["train/logit_scale"][at] = line.logit_scale;
  for (const LoggedLoss& loss : line.losses) points["train/" + loss.name][at] = loss.value;
}

void add_console(const fs::path& path, Points& points) {
  double samples_per_epoch = 1;
  for (const std::string& line : split_lines(read_file(path))) {
    if (const auto train = parse_train_line(line)) {
      samples_per_epoch = static_cast<double>(train->samples_per_epoch);
      add_train_line(*train, points);
    } else if (const auto eval = parse_eval_line(line)) {
      for (const auto& [name, value] : eval->second) {
        points["val/" + name][static_cast<double>(eval->first) * samples_per_epoch] = value;
      }
    }
  }
}

std::vector<std::pair<std::string, std::string>> read_params(const fs::path& path) {
  std::vector<std::pair<std::string, std::string>> params;
  if (!is_file(path)) return params;
  for (const std::string& line : split_lines(read_file(path))) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos)
      params.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return params;
}

RunCurves read_run(const fs::path& folder) {
  const RunPaths paths{folder};
  Points points;
  if (is_file(paths.scalars())) {
    add_json_lines(paths.scalars(), points);
  } else {
    add_console(paths.log(), points);
  }
  RunCurves run{.name = folder.filename().string(),
                .folder = folder,
                .curves = {},
                .params = read_params(paths.params())};
  for (const auto& [name, by_step] : points)
    run.curves[name].assign(by_step.begin(), by_step.end());
  return run;
}

std::vector<fs::path> runs_within(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (is_run({it->path()})) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
    return natural_less(a.filename().string(), b.filename().string());
  });
  return found;
}

}  // namespace

std::vector<RunCurves> read_curves(const std::vector<std::string>& folders,
                                   std::vector<std::string>& notes) {
  std::vector<RunCurves> runs;
  for (const std::string& text : folders) {
    fs::path folder = fs::path(text).lexically_normal();
    if (!folder.has_filename()) folder = folder.parent_path();
    const std::vector<fs::path> found =
        is_run({folder}) ? std::vector<fs::path>{folder} : runs_within(folder);
    for (const fs::path& one : found) {
      RunCurves run = read_run(one);
      if (run.curves.empty()) {
        notes.push_back(one.string() + ": nothing was logged yet");
      } else {
        runs.push_back(std::move(run));
      }
    }
    if (found.empty()) notes.push_back(text + ": no run (scalars.jsonl or out.log) is there");
  }
  if (runs.empty()) {
    std::string all;
    for (const std::string& note : notes) all += (all.empty() ? "" : "; ") + note;
    fail(all.empty() ? "no folder was given" : all);
  }
  return runs;
}

}  // namespace clipnext::run

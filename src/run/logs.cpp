#include "run/logs.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/python_json.h"
#include "run/log_file.h"
#include "run/parse_options.h"

namespace clipnext::run {
namespace {

namespace fs = std::filesystem;

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  require(!error, path.string(), ": cannot make the folder of the run: ", error.message(),
          " (--logs says where runs are kept)");
}

// What a FileWriter of a killed process was writing there: a checkpoint may be of gigabytes.
void remove_unfinished(const fs::path& folder) {
  std::error_code error, ignored;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const bool unfinished = it->path().filename().string().find(".tmp.") != std::string::npos;
    if (unfinished && it->is_regular_file(ignored)) fs::remove(it->path(), ignored);
  }
}

struct Candidate {
  fs::path path;
  std::optional<int64_t> completed;  // by its name
};

// Finished epochs, the last first.
std::vector<Candidate> finished_epochs(const fs::path& folder) {
  std::vector<Candidate> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto name = parse_checkpoint_name(it->path().filename().string());
    if (name && name->completed) found.push_back({it->path(), name->completed});
  }
  require(!error || error == std::errc::no_such_file_or_directory, folder.string(),
          ": cannot list the folder: ", error.message());
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return a.completed != b.completed ? a.completed > b.completed : a.path < b.path;
  });
  return found;
}

// What the error says first (lists of tensors may follow), less the path that it begins with.
std::string reason_of(const Error& error, const fs::path& path) {
  const std::string text = error.what();
  const std::string begin = path.string() + ": ";
  const size_t from = text.starts_with(begin) ? begin.size() : 0;
  return text.substr(from, text.find('\n', from) - from);
}

}  // namespace

RunPaths run_paths(const TrainOptions& options) {
  require(options.name.has_value(), "the run has no name");
  return {fs::path(options.logs) / *options.name};
}

void open_run_folder(const RunPaths& paths, const TrainOptions& options) {
  std::error_code ignored;
  require(
      options.resume == "latest" || !fs::exists(paths.log(), ignored), paths.log().string(),
      ": a run of this name is there already. Go on with --resume latest, or say another --name");
  for (const fs::path& folder : {paths.checkpoints(), paths.snapshot().parent_path()}) {
    make_folder(folder);
    remove_unfinished(folder);
  }
  if (writes_tensorboard(options)) make_folder(paths.tensorboard());
}

std::optional<CheckpointName> parse_checkpoint_name(std::string_view file_name) {
  constexpr std::string_view kBegin = "epoch_";
  if (!file_name.starts_with(kBegin)) return std::nullopt;
  file_name.remove_prefix(kBegin.size());
  const size_t dot = file_name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view which = file_name.substr(0, dot);
  const std::string_view format = file_name.substr(dot + 1);
  if (format != "pt" && format != "safetensors") return std::nullopt;
  CheckpointName name{.completed = std::nullopt, .format = std::string(format)};
  if (which == "latest") return name;
  int64_t completed = 0;
  const char* end = which.data() + which.size();
  const auto [at, error] = std::from_chars(which.data(), end, completed);
  if (error != std::errc() || at != end || completed < 0) return std::nullopt;
  name.completed = completed;
  return name;
}

std::optional<ResumeChoice> find_latest(const RunPaths& paths, const ReadPosition& read_position,
                                        std::vector<std::string>& notes) {
  std::optional<ResumeChoice> best;
  std::string passed_over;
  const auto consider = [&](const fs::path& path) {
    try {
      const RunPosition position = read_position(path);
      if (!best || position > best->position) best = ResumeChoice{path, position};
      return true;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      notes.push_back(path.string() + " is passed over: " + reason_of(error, path));
      passed_over += "\n  " + notes.back();
      return false;
    }
  };
  for (const Candidate& candidate : finished_epochs(paths.checkpoints())) {
    if (consider(candidate.path)) break;
  }
  for (const fs::path& path : {paths.latest("pt"), paths.latest("safetensors"), paths.snapshot()}) {
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) consider(path);
  }
  require(best || passed_over.empty(), paths.folder.string(),
          ": --resume latest cannot go on from any of the files there:", passed_over,
          "\nName one by --resume FILE, or begin anew under another --name");
  return best;
}

bool saves_epoch(int64_t completed, int64_t epochs, int64_t save_frequency) {
  return completed == epochs || (save_frequency > 0 && completed % save_frequency == 0);
}

std::optional<int64_t> previous_saved(int64_t completed, int64_t save_frequency) {
  if (save_frequency <= 0) return std::nullopt;
  const int64_t previous = (completed - 1) / save_frequency * save_frequency;
  return previous > 0 ? std::optional(previous) : std::nullopt;
}

void append_result(const RunPaths& paths, int64_t epoch, OrderedJson metrics) {
  if (!metrics.contains("epoch")) metrics["epoch"] = epoch;
  LineFile(paths.results(), true).append(python_json(metrics));
}

void forget_results_after(const RunPaths& paths, int64_t completed) {
  keep_json_lines(paths.results(), [&](const OrderedJson& line) {
    return line.value("epoch", int64_t{0}) <= completed;
  });
}

bool evaluates(int64_t completed, int64_t epochs, int64_t frequency) {
  return frequency > 0 && (completed % frequency == 0 || completed == epochs);
}

}  // namespace clipnext::run

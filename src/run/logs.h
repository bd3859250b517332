// The folder of a run: where its files lie, who may begin one, what is kept and what goes on.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "run/options.h"

namespace clipnext::run {

/// <logs>/<name>, as open_clip lays it out; snapshot and scalars are ours.
struct RunPaths {
  std::filesystem::path folder;

  [[nodiscard]] std::filesystem::path log() const { return folder / "out.log"; }
  /// With --log-local, on the first process of each machine but the first, whose log is log().
  [[nodiscard]] std::filesystem::path local_log(int64_t rank) const {
    return folder / ("out-" + std::to_string(rank));
  }
  [[nodiscard]] std::filesystem::path params() const { return folder / "params.txt"; }
  [[nodiscard]] std::filesystem::path checkpoints() const { return folder / "checkpoints"; }
  [[nodiscard]] std::filesystem::path results() const { return checkpoints() / "results.jsonl"; }
  [[nodiscard]] std::filesystem::path tensorboard() const { return folder / "tensorboard"; }
  [[nodiscard]] std::filesystem::path scalars() const { return folder / "scalars.jsonl"; }
  /// Within an epoch. open_clip looks into checkpoints/ alone, and takes this for no epoch.
  [[nodiscard]] std::filesystem::path snapshot() const {
    return folder / "snapshot" / "latest.safetensors";
  }
  /// epoch_3.pt; format is --checkpoint-format's.
  [[nodiscard]] std::filesystem::path epoch(int64_t completed, const std::string& format) const {
    return checkpoints() / ("epoch_" + std::to_string(completed) + "." + format);
  }
  [[nodiscard]] std::filesystem::path latest(const std::string& format) const {
    return checkpoints() / ("epoch_latest." + format);
  }
};

/// options.name must be known.
RunPaths run_paths(const TrainOptions& options);

/// Makes the folders of a run, on its first process: all others hear the outcome from it. What a
/// killed process was writing there is removed. Throws Error if a log is there already and the run
/// is not to go on (--resume latest), and where nothing can be written.
void open_run_folder(const RunPaths& paths, const TrainOptions& options);

/// What a file name of checkpoints/ says; nothing for files that are no checkpoints:
/// `^epoch_(\d+|latest)\.(pt|safetensors)$`.
struct CheckpointName {
  std::optional<int64_t> completed;  // nothing: epoch_latest
  std::string format;
};
std::optional<CheckpointName> parse_checkpoint_name(std::string_view file_name);

/// How far a checkpoint is.
struct RunPosition {
  int64_t epochs = 0;  // completed
  int64_t steps = 0;   // behind them, in the next epoch

  auto operator<=>(const RunPosition&) const = default;
};

/// Looks into a file. Throws Error, which begins with the path, if the run cannot go on from it: it
/// is damaged, of another model or optimizer, or cannot be read.
using ReadPosition = std::function<RunPosition(const std::filesystem::path&)>;

struct ResumeChoice {
  std::filesystem::path path;
  RunPosition position;
};

/// What --resume latest goes on from: the checkpoint or snapshot that is furthest, of equal ones an
/// epoch's own file. Files that cannot be gone on from are passed over; `notes` says why. Nothing
/// if there is no file: a fresh start. Throws Error if there are only such, which a fresh start
/// would write over, and if the folder cannot be looked into.
std::optional<ResumeChoice> find_latest(const RunPaths& paths, const ReadPosition& read_position,
                                        std::vector<std::string>& notes);

/// Whether the checkpoint of so many completed epochs stays.
bool saves_epoch(int64_t completed, int64_t epochs, int64_t save_frequency);
/// The one before it that stayed, which --delete-previous-checkpoint removes once the new one is on
/// disk: also where not every epoch is kept, unlike 3.3.0. Nothing if there is none.
std::optional<int64_t> previous_saved(int64_t completed, int64_t save_frequency);
/// Appends the figures of an evaluation to results.jsonl as the reference's json.dumps does, on
/// disk when it returns. `epoch` is always among them, unlike the reference.
void append_result(const RunPaths& paths, int64_t epoch, OrderedJson metrics);
/// Of a run that goes on after `completed` epochs: drops the results of later ones, which will be
/// written again.
void forget_results_after(const RunPaths& paths, int64_t completed);

/// Whether an evaluation runs after so many completed epochs, as open_clip decides.
bool evaluates(int64_t completed, int64_t epochs, int64_t frequency);

}  // namespace clipnext::run

// The curves of runs, read back from their folders.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace clipnext::run {

struct RunCurves {
  std::string name;
  std::filesystem::path folder;
  /// By name (`train/loss`, `val/clip_val_loss`): step and value, by step. Of a step that was
  /// computed twice, after a kill, the later value.
  std::map<std::string, std::vector<std::pair<double, double>>> curves;
  std::vector<std::pair<std::string, std::string>> params;  // of params.txt
};

/// A run's folder, or one of runs. Of a run scalars.jsonl; without it, as of open_clip's own
/// trainer, what out.log says. Folders that are no run are passed over and named in `notes`. Throws
/// Error if none is left.
std::vector<RunCurves> read_curves(const std::vector<std::string>& folders,
                                   std::vector<std::string>& notes);

}  // namespace clipnext::run

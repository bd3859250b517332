// Files that grow by lines while a run lasts, and outlive a kill.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace clipnext::run {

/// What becomes of a last line without its end, which a kill cut short.
enum class TornLine : uint8_t { kRemove, kEnd };

/// Appends lines to a file. With `sync` each line is on disk when append returns; one that cannot
/// be written whole leaves no part behind. Throws Error naming the file.
class LineFile {
 public:
  LineFile(std::filesystem::path path, bool sync, TornLine torn = TornLine::kRemove);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  void append(std::string_view line);

 private:
  std::filesystem::path path_;
  bool sync_;
  int fd_ = -1;
};

/// The objects of a file of JSON lines, a last line that is cut short left out; NaN is a number.
/// Empty if there is no file. Throws Error naming file and line for others that are none.
std::vector<OrderedJson> read_json_lines(const std::filesystem::path& path);

/// Keeps of a file of JSON lines what `keep` says, in one piece: what a run that goes on from an
/// earlier point will write again. A line cut short goes too.
void keep_json_lines(const std::filesystem::path& path,
                     const std::function<bool(const OrderedJson&)>& keep);

/// Writes out.log and standard error, as Python's logging does, from any thread. On a terminal a
/// line of progress that is being shown is cleared first.
class RunLog {
 public:
  /// path empty: standard error only; quiet: the file only.
  RunLog(const std::filesystem::path& path, bool debug, bool quiet = false);

  void info(std::string_view message) { write("INFO", message); }
  void warning(std::string_view message) { write("WARNING", message); }
  void error(std::string_view message) { write("ERROR", message); }
  /// Only with --debug.
  void debug(std::string_view message);

 private:
  void write(std::string_view level, std::string_view message);

  std::mutex mutex_;
  std::unique_ptr<LineFile> file_;
  bool debug_, quiet_, terminal_;
};

}  // namespace clipnext::run

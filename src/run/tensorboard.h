// TensorBoard's event files, and the same figures as lines of JSON. Formats: TFRecord framing with
// masked CRC-32C, the protocol buffers Event, Summary and SessionLog
// (tensorflow/core/util/event.proto, framework/summary.proto).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "run/log_file.h"

namespace clipnext::run {

/// CRC-32C (Castagnoli, RFC 3720 B.4).
uint32_t crc32c(std::span<const std::byte> bytes);

using Scalars = std::vector<std::pair<std::string, double>>;

/// One file of events, `events.out.tfevents.TIME.HOST.PID.NUMBER`, as SummaryWriter of PyTorch
/// names them. Each start of a run writes a file of its own; TensorBoard shows a folder of them as
/// one run. Every event is in the file when the call returns: curves are looked at while they grow,
/// and outlive a kill. One thread at a time.
class EventWriter {
 public:
  /// `from_step`: of a run that goes on, so that TensorBoard forgets what an earlier file has from
  /// this step on.
  explicit EventWriter(const std::filesystem::path& folder,
                       std::optional<int64_t> from_step = std::nullopt);

  void scalars(const Scalars& values, int64_t step);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void write(const std::string& event);

  std::filesystem::path path_;
  int fd_ = -1;
};

/// What a reader finds in an event.
struct Event {
  double wall_time = 0;
  int64_t step = 0;
  std::string file_version;    // of the first event
  bool session_start = false;  // steps from here on in earlier files do not count
  Scalars scalars;
};

/// The events of a file, checked by their CRCs; a record that is cut short or damaged ends it.
std::vector<Event> read_events(const std::filesystem::path& path);

/// The curves of a run: event files if wanted, and scalars.jsonl always: {"step", "time", NAME:
/// VALUE...}.
class ScalarLog {
 public:
  /// folder of events empty: none. A run that goes on at `from_step` first drops what an earlier
  /// start wrote from there on.
  ScalarLog(const std::filesystem::path& json_lines, const std::filesystem::path& events,
            std::optional<int64_t> from_step = std::nullopt);

  void write(const Scalars& values, int64_t step);
  /// Validation counts epochs: its x axis in TensorBoard, as open_clip has it; `step` stands in
  /// scalars.jsonl beside `epoch`.
  void write_epoch(const Scalars& values, int64_t epoch, int64_t step);

 private:
  void mirror(const Scalars& values, int64_t step, std::optional<int64_t> epoch);

  LineFile lines_;
  std::unique_ptr<EventWriter> events_;
};

}  // namespace clipnext::run

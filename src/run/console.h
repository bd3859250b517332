// The lines of a training run, as open_clip_train 3.3.0 writes them, and what they are read back
// as.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace clipnext::run {

/// The last value and the mean since reset().
class AverageMeter {
 public:
  void update(double value, int64_t count = 1);
  void reset() { *this = {}; }
  [[nodiscard]] double value() const { return value_; }
  [[nodiscard]] double average() const { return average_; }

 private:
  double value_ = 0, average_ = 0, sum_ = 0;
  int64_t count_ = 0;
};

/// What stands in brackets behind a loss: the mean of the epoch's logged values (3.3.0), or with
/// --train-loss-ema-samples N an average that forgets over N samples and outlives epochs (later
/// open_clip).
class LossMeter {
 public:
  explicit LossMeter(int64_t ema_samples = 0) : ema_samples_(ema_samples) {}

  /// `batch` is the weight of the value in the mean; `samples_seen` counts the whole run.
  void update(double value, int64_t batch, int64_t samples_seen);
  void begin_epoch();
  [[nodiscard]] double value() const { return mean_.value(); }
  [[nodiscard]] double average() const { return ema_samples_ > 0 ? ema_ : mean_.average(); }

 private:
  int64_t ema_samples_;
  AverageMeter mean_;
  double ema_ = 0;
  int64_t last_samples_ = -1;
};

struct LoggedLoss {
  std::string name;  // `contrastive_loss`
  double value = 0, average = 0;
};

struct TrainLine {
  int64_t epoch = 0;
  int64_t step = 0;  // of the epoch, counted from 1
  int64_t steps_per_epoch = 0;
  int64_t samples = 0;  // up to now in this epoch, of all processes
  int64_t samples_per_epoch = 0;
  double data_time = 0, batch_time = 0;                           // seconds, means of the window
  double samples_per_second = 0, samples_per_second_per_gpu = 0;  // of the last step
  double lr = 0;
  double logit_scale = 0;
  std::vector<LoggedLoss> losses;
};

/// `Train Epoch: 0 [ 256/1024 (25%)] Data (t): 0.012 Batch ...`
std::string train_line(const TrainLine& line);
/// The same for --json: {"event": "train", "epoch", "step", ...}, losses by their names.
OrderedJson train_json(const TrainLine& line);
/// What train_line (or open_clip) wrote, from anywhere in a line of a log; numbers have the digits
/// that are there, names begin with a small letter. Nothing for other lines. steps_per_epoch and
/// step are not on the line: 0.
std::optional<TrainLine> parse_train_line(std::string_view text);
/// Whether the line of a step, counted from 1, is written.
bool logs_step(int64_t step, int64_t every, int64_t steps_per_epoch);

/// `Eval Epoch: 1 [64 / 1024]\tClip Loss: 1.234567\t`, while validation runs.
std::string eval_progress_line(int64_t epoch, int64_t samples, int64_t total, double loss);
/// `Eval Epoch: 1 image_to_text_R@1: 0.1235\t...`, its result.
std::string eval_line(int64_t epoch, const std::vector<std::pair<std::string, double>>& metrics);
/// What eval_line wrote.
std::optional<std::pair<int64_t, std::vector<std::pair<std::string, double>>>> parse_eval_line(
    std::string_view text);

/// `2023-02-11,17:05:09 | INFO | `, local time.
std::string log_prefix(std::string_view level, std::time_t when);

}  // namespace clipnext::run

// The batches of a run, from its options.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "data/epoch_size.h"
#include "run/log_file.h"
#include "run/options.h"
#include "train/device_loader.h"
#include "train/group.h"

namespace clipnext::train {

/// Counts what was left out of the data, and says so in the log: each kind of reason, its numbers
/// apart, the first time, then every thousandth; with --debug all. Any number of threads.
class FaultLog {
 public:
  explicit FaultLog(run::RunLog& log) : log_(log) {}
  void add(const std::string& name, const std::string& reason);
  int64_t count() const { return count_; }
  data::OnFault listener() {
    return [this](const std::string& name, const std::string& reason) { add(name, reason); };
  }

 private:
  int64_t count_kind(const std::string& reason);

  run::RunLog& log_;
  std::mutex mutex_;
  std::map<std::string, int64_t> kinds_;
  std::atomic<int64_t> count_{0};
};

struct RunData {
  std::unique_ptr<DeviceLoader> loader;
  data::EpochSize epoch;
};

/// --train-data, this rank's share. faults must outlive the loader.
RunData open_training_data(const run::TrainOptions& options, const model::ClipConfig& config,
                           std::shared_ptr<const text::Tokenizer> tokenizer, const Group& group,
                           at::Device device, FaultLog& faults);
/// --val-data, this rank's part of it.
RunData open_validation_data(const run::TrainOptions& options, const model::ClipConfig& config,
                             std::shared_ptr<const text::Tokenizer> tokenizer, const Group& group,
                             at::Device device, FaultLog& faults);

}  // namespace clipnext::train

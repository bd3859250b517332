// What a run tells of its steps.
#pragma once

#include <cstdint>

#include "run/console.h"
#include "run/log_file.h"
#include "run/options.h"
#include "run/tensorboard.h"
#include "train/group.h"
#include "train/step.h"

namespace clipnext::train {

/// For a program that watches a run: an object on a line of stdout.
void print_event(const OrderedJson& event);

/// Which step of a run.
struct StepPlace {
  int64_t epoch = 0;
  int64_t step = 0;  // of the epoch, from 0
  int64_t steps_per_epoch = 0;
  int64_t samples_per_epoch = 0;  // of all ranks

  int64_t run_step() const { return epoch * steps_per_epoch + step; }
};

/// A line of the log, scalars, and with --json an event, every so many steps as options say.
class StepLog {
 public:
  /// All must outlive this.
  StepLog(const run::TrainOptions& options, Group& group, run::RunLog& log);

  void begin_epoch();
  /// Seconds until a step had its batches, and until it was done.
  void add_times(double data, double step);
  /// Every rank calls it after every step: what is shown is the mean over ranks. `scalars` may be
  /// null.
  void report(const StepPlace& place, const StepReport& report, double lr, run::ScalarLog* scalars);

 private:
  struct Losses {
    double contrastive, distill, total;
  };
  Losses mean_over_ranks(const StepReport& report) const;
  run::TrainLine line_of(const StepPlace& place) const;

  const run::TrainOptions& options_;
  Group& group_;
  run::RunLog& log_;
  run::AverageMeter data_time_, batch_time_;
  run::LossMeter contrastive_, distill_, total_;
};

}  // namespace clipnext::train

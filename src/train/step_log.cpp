#include "train/step_log.h"

#include <cstdio>

namespace clipnext::train {

void print_event(const OrderedJson& event) {
  std::printf("%s\n", event.dump(-1, ' ', false, OrderedJson::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

StepLog::StepLog(const run::TrainOptions& options, Group& group, run::RunLog& log)
    : options_(options),
      group_(group),
      log_(log),
      contrastive_(options.train_loss_ema_samples.value_or(0)),
      distill_(contrastive_),
      total_(contrastive_) {}

void StepLog::begin_epoch() {
  for (run::LossMeter* meter : {&contrastive_, &distill_, &total_}) meter->begin_epoch();
}

void StepLog::add_times(double data, double step) {
  data_time_.update(data);
  batch_time_.update(step);
}

StepLog::Losses StepLog::mean_over_ranks(const StepReport& report) const {
  const at::Tensor distill =
      report.distill.defined() ? report.distill : at::zeros_like(report.loss);
  at::Tensor mean = at::stack({report.loss, distill}) / static_cast<double>(group_.size());
  group_.all_reduce(mean);
  const auto total = mean[0].item<double>(), added = mean[1].item<double>();
  return {.contrastive = total - added, .distill = added, .total = total};
}

/// All but losses, learning rate and scale.
run::TrainLine StepLog::line_of(const StepPlace& place) const {
  const int64_t batch = options_.batch_size * options_.accum_freq;
  const double per_gpu = static_cast<double>(batch) / batch_time_.value();
  return {.epoch = place.epoch,
          .step = place.step + 1,
          .steps_per_epoch = place.steps_per_epoch,
          .samples = (place.step + 1) * batch * group_.size(),
          .samples_per_epoch = place.samples_per_epoch,
          .data_time = data_time_.average(),
          .batch_time = batch_time_.average(),
          .samples_per_second = per_gpu * static_cast<double>(group_.size()),
          .samples_per_second_per_gpu = per_gpu,
          .losses = {}};
}

void StepLog::report(const StepPlace& place, const StepReport& report, double lr,
                     run::ScalarLog* scalars) {
  const int64_t every = options_.log_every_n_steps;
  const int64_t metric_every = options_.log_metric_every_n_steps.value_or(every);
  const bool last = place.step + 1 == place.steps_per_epoch;
  const bool line = last || place.step % every == 0;
  const bool metric = last || place.step % metric_every == 0;
  if (!line && !metric) return;
  const Losses losses = mean_over_ranks(report);
  const int64_t batch = options_.batch_size;
  const int64_t seen = (place.run_step() + 1) * batch * options_.accum_freq * group_.size();
  contrastive_.update(losses.contrastive, batch, seen);
  distill_.update(losses.distill, batch, seen);
  total_.update(losses.total, batch, seen);
  if (!group_.first()) return;

  run::TrainLine shown = line_of(place);
  shown.lr = lr;
  shown.logit_scale = report.logit_scale;
  shown.losses.push_back({"contrastive_loss", losses.contrastive, contrastive_.average()});
  if (report.distill.defined()) {
    shown.losses.push_back({"distill_loss", losses.distill, distill_.average()});
  }
  shown.losses.push_back({"loss", losses.total, total_.average()});
  if (line) {
    log_.info(run::train_line(shown));
    if (options_.json) print_event(run::train_json(shown));
  }
  if (metric && scalars != nullptr) {
    run::Scalars values{{"train/data_time", data_time_.value()},
                        {"train/batch_time", batch_time_.value()},
                        {"train/samples_per_second", shown.samples_per_second},
                        {"train/samples_per_second_per_gpu", shown.samples_per_second_per_gpu},
                        {"train/scale", report.logit_scale},
                        {"train/lr", lr}};
    for (const run::LoggedLoss& loss : shown.losses) {
      values.emplace_back("train/" + loss.name, loss.value);
    }
    scalars->write(values, place.run_step());
  }
  if (line) {
    data_time_.reset();
    batch_time_.reset();
  }
}

}  // namespace clipnext::train

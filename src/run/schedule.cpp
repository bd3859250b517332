#include "run/schedule.h"

#include <cmath>

#include "base/checked.h"
#include "base/error.h"

namespace clipnext::run {

Schedule make_schedule(const TrainOptions& options, int64_t steps_per_epoch) {
  require(options.lr.has_value(), "--lr is needed with --opt ", options.opt);
  Schedule schedule{.lr = *options.lr, .warmup = options.warmup};
  schedule.total_steps = checked_mul(steps_per_epoch, options.epochs, "steps of the run");
  schedule.cooldown_end = options.lr_cooldown_end;
  schedule.cooldown_power = options.lr_cooldown_power;
  if (options.skip_scheduler) {
    schedule.course = LrCourse::kSkipped;
  } else if (options.lr_scheduler == "const") {
    schedule.course = LrCourse::kConst;
  } else if (options.lr_scheduler == "const-cooldown") {
    schedule.course = LrCourse::kConstCooldown;
    schedule.cooldown_steps =
        checked_mul(steps_per_epoch, options.epochs_cooldown.value_or(0), "steps of the cooldown");
  }
  return schedule;
}

double lr_at(const Schedule& schedule, int64_t step) {
  if (schedule.course == LrCourse::kSkipped) return schedule.lr;
  if (step < schedule.warmup) {
    return schedule.lr * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup);
  }
  if (schedule.course == LrCourse::kConst) return schedule.lr;
  if (schedule.course == LrCourse::kConstCooldown) {
    const int64_t begin = schedule.total_steps - schedule.cooldown_steps;
    if (step < begin) return schedule.lr;
    const double share =
        static_cast<double>(step - begin) / static_cast<double>(schedule.cooldown_steps);
    return std::pow(1 - share, schedule.cooldown_power) * (schedule.lr - schedule.cooldown_end) +
           schedule.cooldown_end;
  }
  const auto done = static_cast<double>(step - schedule.warmup);
  const auto all = static_cast<double>(schedule.total_steps - schedule.warmup);
  constexpr double kPi = 3.141592653589793;
  return 0.5 * (1 + std::cos(kPi * done / all)) * schedule.lr;
}

}  // namespace clipnext::run

// The learning rate as a function of the step: spec training.md 5.3, open_clip_train's scheduler.
#pragma once

#include <cstdint>

#include "run/options.h"

namespace clipnext::run {

enum class LrCourse : uint8_t { kCosine, kConst, kConstCooldown, kSkipped };

struct Schedule {
  LrCourse course = LrCourse::kCosine;
  double lr = 0;  // at the peak
  int64_t warmup = 0;
  int64_t total_steps = 0;
  int64_t cooldown_steps = 0;
  double cooldown_end = 0;
  double cooldown_power = 1;
};

/// Of a run of options.epochs epochs of so many steps, whatever --stop-after-... says. options.lr
/// must be known.
Schedule make_schedule(const TrainOptions& options, int64_t steps_per_epoch);

/// At a step counted from 0 at the beginning of the run. Operations in the reference's order, so
/// that values are equal to the last bit where the cosine is.
double lr_at(const Schedule& schedule, int64_t step);

}  // namespace clipnext::run

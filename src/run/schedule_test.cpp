#include "run/schedule.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "run/fixtures_test.h"

namespace clipnext::run {
namespace {

TEST(Schedule, EqualsTheReferencesToTheLastBit) {
  for (const Json& one : fixture("schedule.json")["schedules"]) {
    Schedule schedule{.lr = one["lr"], .warmup = one["warmup"], .total_steps = one["total"]};
    if (one["course"] == "const") schedule.course = LrCourse::kConst;
    if (one["course"] == "const-cooldown") {
      schedule.course = LrCourse::kConstCooldown;
      schedule.cooldown_steps = one["more"][0];
      schedule.cooldown_power = one["more"][1];
      schedule.cooldown_end = one["more"][2];
    }
    for (const Json& at : one["at"]) {
      const double expected = std::strtod(at[1].get<std::string>().c_str(), nullptr);
      EXPECT_EQ(lr_at(schedule, at[0]), expected) << one["course"] << " at " << at[0];
    }
  }
}

// Spec: training.md section 10, item 2.
TEST(Schedule, OfTheHeadlineHasTheSpecificationsValues) {
  TrainOptions options;
  options.lr = 5e-5;
  options.warmup = 2000;
  options.epochs = 12;
  const Schedule schedule = make_schedule(options, 1554);
  EXPECT_EQ(schedule.total_steps, 18648);
  const std::pair<int64_t, double> cases[] = {
      {0, 2.5e-8},           {999, 2.5e-5},   {1999, 5e-5},           {2000, 5e-5},
      {5000, 4.60997003e-5}, {10324, 2.5e-5}, {15000, 5.69345748e-6}, {18647, 4.4512873e-13}};
  for (const auto& [step, lr] : cases) EXPECT_NEAR(lr_at(schedule, step) / lr, 1, 2e-8) << step;
}

// Spec: training.md section 10, item 2.
TEST(Schedule, SkippedStaysFromTheFirstStep) {
  TrainOptions options;
  options.lr = 1e-3;
  options.skip_scheduler = true;
  const Schedule schedule = make_schedule(options, 100);
  for (const int64_t step : {0, 5, 3199}) EXPECT_EQ(lr_at(schedule, step), 1e-3);
}

// Spec: training.md section 10, item 2.
TEST(Schedule, CooldownsEndWhereTheyShall) {
  TrainOptions options;
  options.lr = 1e-3;
  options.warmup = 10;
  options.epochs = 10;
  options.lr_scheduler = "const-cooldown";
  options.epochs_cooldown = 2;
  options.lr_cooldown_end = 1e-5;
  const Schedule schedule = make_schedule(options, 100);
  EXPECT_EQ(lr_at(schedule, 799), 1e-3);
  EXPECT_EQ(lr_at(schedule, 800), 1e-3);
  EXPECT_NEAR(lr_at(schedule, 900), 0.5 * (1e-3 - 1e-5) + 1e-5, 1e-12);
  EXPECT_NEAR(lr_at(schedule, 999), 1e-5 + (1e-3 - 1e-5) / 200, 1e-12);
}

}  // namespace
}  // namespace clipnext::run

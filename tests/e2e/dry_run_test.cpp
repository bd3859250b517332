// `clipnext train --dry-run` of the headline model's runs, as a Slurm job of 512 tasks sees them.
#include "e2e/program.h"

namespace clipnext::e2e {
namespace {

Outcome dry_run(const std::string& recipe) {
  return run({.args = {"train", "--recipe", recipe, "--train-data", "/data/{00000..231349}.tar",
                       "--dry-run", "--json"},
              .environment = {{"SLURM_JOB_ID", "7"},
                              {"SLURM_NTASKS", "512"},
                              {"SLURM_PROCID", "0"},
                              {"SLURM_LOCALID", "0"},
                              {"SLURM_JOB_NODELIST", "node[001-064]"}}});
}

TEST(TrainDryRun, OfTheHeadlineIsItsArithmeticInLittleMemory) {
  for (const auto& [recipe, steps] : {std::pair("convnext-large-320-1e-4", 24'864),
                                      {"convnext-large-320-6e-5", 15'540},
                                      {"convnext-large-320-5e-5", 18'648}}) {
    const Outcome outcome = dry_run(recipe);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const Json plan = outcome.json();
    EXPECT_EQ(plan["batches_per_epoch"], 1554);
    EXPECT_EQ(plan["global_batch"], 131'072);
    EXPECT_EQ(plan["steps"], steps) << recipe;
    EXPECT_GT(plan["memory_bytes"]["weights"], 0);
    EXPECT_GT(plan["received_bytes_per_step"]["features"], 0);
    EXPECT_LT(outcome.peak_bytes, 200'000'000);
  }
}

}  // namespace
}  // namespace clipnext::e2e

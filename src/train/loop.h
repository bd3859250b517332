// A training run, from its options to its last checkpoint.
#pragma once

#include <string>
#include <vector>

#include "run/launch.h"
#include "run/options.h"
#include "train/group.h"

namespace clipnext::train {

/// How a run ended.
enum class Ending : uint8_t {
  kDone,         // all epochs, or as far as --stop-after-... says
  kInterrupted,  // a signal came: everything up to there is in a snapshot
};

/// Runs epochs of training, evaluation and checkpoints as open_clip's trainer does, or a single
/// evaluation without --train-data. Every rank calls it. Throws Error if it cannot begin or go on.
Ending train(const run::TrainOptions& options, const run::World& world, const std::string& device,
             const std::vector<std::string>& warnings, Group& group);

}  // namespace clipnext::train

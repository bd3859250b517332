// Snapshots as checkpoints that are already open.
#pragma once

#include <string>

#include "model/training_state.h"
#include "weights/checkpoint.h"

namespace clipnext::model {

bool is_snapshot(const weights::Checkpoint& checkpoint);

/// `source` stands in messages; errors as read_snapshot.
TrainingState snapshot_state(const weights::Checkpoint& checkpoint, const ClipConfig& config,
                             const std::string& source);

}  // namespace clipnext::model

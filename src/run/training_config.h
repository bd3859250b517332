// The model that a run trains: a configuration with the command line's changes.
#pragma once

#include "model/config.h"
#include "run/options.h"

namespace clipnext::run {

/// --model (a configuration's name, also one of the recipes', a config JSON, a model folder) with
/// --siglip and the --force-..., --image-... options laid over it. Throws UsageError for those that
/// the model has no place for.
model::ClipConfig training_config(const TrainOptions& options);

}  // namespace clipnext::run

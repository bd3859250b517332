// The model that a run trains: a configuration with the command line's changes.
#pragma once

#include "model/config.h"
#include "model/source.h"
#include "run/options.h"

namespace clipnext::run {

/// What --model names: a configuration (also one of the recipes') by its name, a config JSON, or a
/// model folder. Throws Error for what else other commands take, saying how that is trained.
model::ModelSource model_source(const TrainOptions& options);

/// Its configuration with --siglip and the --force-..., --image-... options laid over it. Throws
/// Error as model_source, and UsageError for options that the model has no place for.
model::ClipConfig training_config(const TrainOptions& options);

/// Configuration of --distill-model, which takes what --model takes. Throws Error as model_source.
model::ClipConfig teacher_config(const TrainOptions& options);

}  // namespace clipnext::run

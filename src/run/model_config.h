// The model that a run trains.
#pragma once

#include "model/config.h"
#include "run/options.h"

namespace clipnext::run {

/// --model (a name, a recipe's model, a JSON file, a folder) with what the options override: image
/// size and normalisation, context length, activation, dropouts, SigLIP's scale and bias. Throws
/// Error for what the model has not.
model::ClipConfig training_config(const TrainOptions& options);

}  // namespace clipnext::run

// The configuration of a trained model, for whoever opens its checkpoints.
#pragma once

#include "base/json.h"
#include "image/preprocess.h"
#include "run/options.h"

namespace clipnext::run {

/// open_clip_config.json: `model_cfg`, as --model names it with what the options override, and
/// `preprocess_cfg`. It lies beside a run's checkpoints, so that every command takes one by its
/// file alone.
OrderedJson model_file(const TrainOptions& options);

/// `preprocess_cfg`: mean, std, interpolation and resize_mode; fill_color unless it is 0.
OrderedJson preprocess_json(const image::PreprocessConfig& config);

}  // namespace clipnext::run

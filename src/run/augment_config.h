// From --aug-cfg to the training transform.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "image/augment.h"
#include "run/options.h"

namespace clipnext::run {

/// As open_clip 3.3.0 maps its AugmentationCfg: colours change by --aug-cfg color_jitter alone on
/// timm's path, which also erases; elsewhere with color_jitter_prob and gray_scale_prob. `ratio`
/// and
/// --image-interpolation belong to timm's path. `interpolation=random`, a key that open_clip had in
/// 2023, is taken too. Nothing with --no-augment: the evaluation transform. Adds to `warnings`
/// which keys have no effect. Throws UsageError for keys and values that there are not.
std::optional<image::AugmentConfig> augment_config(const TrainOptions& options,
                                                   std::vector<std::string>* warnings = nullptr);

}  // namespace clipnext::run

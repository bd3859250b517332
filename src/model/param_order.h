// The order in which open_clip's trainer meets a model's tensors: the index of a parameter in its
// optimizer's state is all that says whose it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/params.h"

namespace clipnext::model {

/// Every tensor of a model in the order of open_clip 3.3.0's state_dict(), by plain-layout name
/// (ParamInfo): a module's own parameters before those of its children, and so the root's first.
/// With config.custom_text the text tower is a child of its own.
std::vector<ParamInfo> ordered_tensors(const ClipConfig& config);

/// Those that are trained (Role::kStatistic left out): the order of named_parameters().
std::vector<ParamInfo> ordered_params(const ClipConfig& config);

/// A tensor's name in open_clip's own checkpoints of this model: `text.` before the text tower's
/// if config.custom_text.
std::string checkpoint_name(const ClipConfig& config, std::string_view plain_name);

}  // namespace clipnext::model

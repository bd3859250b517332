// open_clip_config.json of a soup.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"

namespace clipnext::soup {

/// `text` is an open_clip_config.json or the bare model configuration in it; `source` stands in
/// messages. The result has both its parts, with preprocess_cfg written out, and the image size
/// that is given. Throws Error as model::parse_model_config.
OrderedJson config_file(const std::string& text, const std::string& source,
                        std::optional<int64_t> image_size);

}  // namespace clipnext::soup

// The demo model inside the program.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace clipnext::model {

/// The bytes of models/emoji-convnext-atto, which live as long as the program.
struct DemoModel {
  std::string_view name;
  std::string_view config_json;        // open_clip_config.json
  std::span<const std::byte> weights;  // open_clip_model.safetensors
};

/// Present in programs that link clipnext::demo_model (21 MB); nullopt in all others.
std::optional<DemoModel> demo_model();

}  // namespace clipnext::model

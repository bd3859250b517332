// The files of configs/ inside the program (the table is generated when CMake configures).
#pragma once

#include <span>
#include <string_view>

namespace clipnext::model {

struct BuiltinFile {
  std::string_view name;  // without .json
  std::string_view text;
};

/// Model configurations, by name in byte order.
std::span<const BuiltinFile> builtin_configs();
/// configs/pretrained.json.
std::string_view builtin_pretrained_json();

}  // namespace clipnext::model

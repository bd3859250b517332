// Which files of a repository, or of a folder, make a model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clipnext::hub {

inline constexpr const char* kConfigFile = "open_clip_config.json";

/// The names under which open_clip publishes weights, in its order.
const std::vector<std::string>& weights_names();

/// Of files by name, the weights that open_clip would take: the first of weights_names() and of
/// what else it looks for in a folder, else the first .safetensors, else the first .bin, .pth or
/// .pt. Empty if there are none. Names in sub-folders do not count.
std::string choose_weights(const std::vector<std::string>& names);

/// Whether an open_clip_config.json names a tokenizer of Hugging Face's library.
bool names_tokenizer(std::string_view config, const std::string& source);

/// The files of `names` that such a tokenizer is made from.
std::vector<std::string> tokenizer_files(const std::vector<std::string>& names);

}  // namespace clipnext::hub

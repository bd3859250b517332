#include "hub/model_files.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/json.h"

namespace clipnext::hub {

const std::vector<std::string>& weights_names() {
  static const std::vector<std::string> names = {"open_clip_model.safetensors",
                                                 "open_clip_pytorch_model.safetensors",
                                                 "open_clip_pytorch_model.bin"};
  return names;
}

std::string choose_weights(const std::vector<std::string>& names) {
  const auto has = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& name : weights_names()) {
    if (has(name)) return name;
  }
  for (const char* name : {"open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin",
                           "pytorch_model.pth", "model.pth"}) {
    if (has(name)) return name;
  }
  std::vector<std::pair<bool, std::string>> others;  // false (safetensors) sorts first
  for (const std::string& name : names) {
    const std::string extension = std::filesystem::path(name).extension();
    const bool safetensors = extension == ".safetensors";
    const bool other = extension == ".bin" || extension == ".pth" || extension == ".pt";
    if ((safetensors || other) && name.find('/') == std::string::npos) {
      others.emplace_back(!safetensors, name);
    }
  }
  const auto first = std::min_element(others.begin(), others.end());
  return first == others.end() ? "" : first->second;
}

bool names_tokenizer(std::string_view config, const std::string& source) {
  const Json json = parse_json(config, source);
  const Json::json_pointer pointer("/model_cfg/text_cfg/hf_tokenizer_name");
  if (!json.is_object() || !json.contains(pointer)) return false;
  const Json& name = json.at(pointer);
  return name.is_string() && !name.get<std::string>().empty();
}

std::vector<std::string> tokenizer_files(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const char* name : {"added_tokens.json", "merges.txt", "sentencepiece.bpe.model",
                           "special_tokens_map.json", "spiece.model", "tokenizer.json",
                           "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt"}) {
    if (std::find(names.begin(), names.end(), name) != names.end()) files.emplace_back(name);
  }
  return files;
}

}  // namespace clipnext::hub

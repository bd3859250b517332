// What the environment says of the hub, by the names that huggingface_hub reads.
#pragma once

#include <filesystem>
#include <string>

namespace clipnext::hub {

inline constexpr const char* kHub = "https://huggingface.co";

/// Where repositories are asked for: HF_ENDPOINT (a mirror), else kHub; no slash at the end.
std::string endpoint();

struct Settings {
  std::string endpoint = {};
  std::filesystem::path cache = {};  // the folder of models--ORG--NAME
  std::string token = {};            // empty: none. Never to be shown.
  bool offline = false;
};

/// HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or
/// ~/.cache/huggingface/hub; HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the text of the file
/// HF_TOKEN_PATH or $HF_HOME/token (none if HF_HUB_DISABLE_IMPLICIT_TOKEN is on); HF_HUB_OFFLINE or
/// TRANSFORMERS_OFFLINE. Throws Error if no home is known, or a token has characters that none has.
Settings read_settings();

}  // namespace clipnext::hub

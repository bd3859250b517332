// Finding a model the way open_clip names one: config, weights and tokenizer files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "weights/checkpoint.h"

namespace clipnext::model {

/// A model found, weights opened (mapped) but not yet checked against the config.
struct Model {
  ClipConfig config;
  weights::Checkpoint checkpoint;
  std::string name;                        // how to show it: "emoji-convnext-atto (demo)"
  std::filesystem::path tokenizer_folder;  // empty: the embedded vocabulary
  std::vector<std::string> warnings;       // for the user: what looks wrong, what to do
};

/// model: a config name (then `pretrained` is the checkpoint file), a folder with
/// open_clip_config.json (also as local-dir:FOLDER), or a checkpoint with its config beside it
/// (open_clip_config.json, NAME.json, or config named in the file's metadata). Empty: the
/// CLIPNEXT_MODEL environment variable, else the demo model inside the program. Throws Error that
/// says what was looked for and where.
Model open_model(const std::string& model, const std::string& pretrained = "");

}  // namespace clipnext::model

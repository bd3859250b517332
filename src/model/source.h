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

/// The key of a checkpoint's metadata that names its config (one inside the program), or holds an
/// open_clip_config.json whole.
inline constexpr const char* kConfigMetadata = "clipnext.config";

/// Finds a model by what `model` is, looked at in this order:
/// - empty: the CLIPNEXT_MODEL environment variable, else the demo model inside the program;
/// - a config name, or a config's .json file: then `pretrained` is the checkpoint file;
/// - a folder (also local-dir:FOLDER) with open_clip_config.json and weights; of several weights
///   the one that open_clip would take;
/// - a checkpoint file with its config: STEM.json beside it, kConfigMetadata in it, or
///   open_clip_config.json in its folder.
/// Throws Error that says what was looked for and where.
Model open_model(const std::string& model, const std::string& pretrained = "");

/// The config alone, as open_model would find it, without the weights.
ClipConfig open_config(const std::string& model);

}  // namespace clipnext::model

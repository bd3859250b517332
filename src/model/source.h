// Finding a model the way open_clip names one: config, weights and tokenizer files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/model_files.h"
#include "model/config.h"
#include "weights/checkpoint.h"

namespace clipnext::model {

/// A model found, weights opened (mapped) but not yet checked against the config.
struct Model {
  ClipConfig config;
  std::string config_json;  // what config was read from: open_clip_config.json or the like, whole
  weights::Checkpoint checkpoint;
  std::filesystem::path weights_file;      // empty: inside the program
  std::string name;                        // how to show it: "emoji-convnext-atto (demo)"
  std::filesystem::path tokenizer_folder;  // empty: the embedded vocabulary, or
  std::string_view merges;                 // a packed file's own, a pair a line, in the checkpoint
  std::vector<std::string> warnings;       // for the user: what looks wrong, what to do
};

/// The key of a checkpoint's metadata that names its config (one inside the program), or holds an
/// open_clip_config.json whole.
inline constexpr const char* kConfigMetadata = "clipnext.config";

/// The key that marks a packed file: weights laid out for computing, with their config
/// (infer/packed_file.h; docs/formats.md). kMergesTensor is there if it has its own vocabulary.
inline constexpr const char* kPackedMetadata = "clipnext.packed";
inline constexpr const char* kMergesTensor = "clipnext.merges";
bool is_packed(const weights::Checkpoint& checkpoint);

/// The configuration of a model folder, and of a checkpoint beside which it lies.
inline constexpr const char* kConfigFile = hub::kConfigFile;

/// What a model is given by; open_model says more of each.
enum class SourceKind : uint8_t {
  kDemo,
  kConfigName,
  kConfigJson,
  kFolder,
  kRepository,
  kCheckpoint
};

struct ModelSource {
  SourceKind kind = SourceKind::kDemo;
  std::string name = {};  // name or path, less its local-dir: prefix
};

/// What `model` is, by its spelling and by what lies on disk; nothing is opened or fetched. Throws
/// Error, with the nearest config's name, if it is nothing.
ModelSource find_source(const std::string& model);

/// Finds a model by what `model` is, looked at in this order:
/// - empty: the CLIPNEXT_MODEL environment variable, else the demo model inside the program;
/// - a config name, or a config's .json file: then `pretrained` is the checkpoint file;
/// - hf-hub:ORG/NAME[@REVISION]: a repository, in the hub's cache or brought there (hub/pull.h), of
///   which, as in open_clip, the configuration and the weights count, not tokenizer files;
/// - a folder (also local-dir:FOLDER) with open_clip_config.json and weights, of several weights
///   the one that open_clip would take; or with a packed file;
/// - a packed file, or a checkpoint file with its config: STEM.json beside it, kConfigMetadata in
///   it, or open_clip_config.json in its folder.
/// Throws Error that says what was looked for and where.
Model open_model(const std::string& model, const std::string& pretrained = "");

/// The file of the weights that timm publishes for a trunk (timm_repository), in the hub's cache or
/// brought there. Throws Error; offline, with what to do.
std::filesystem::path timm_weights(const ConvNextConfig& trunk);

/// The config alone, as open_model would find it, without the weights.
ClipConfig open_config(const std::string& model);
ClipConfig open_config(const ModelSource& source);

}  // namespace clipnext::model

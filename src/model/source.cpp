#include "model/source.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/model_files.h"
#include "hub/pull.h"
#include "model/convnext_variants.h"
#include "model/demo.h"
#include "model/nearest.h"
#include "model/registry.h"

namespace clipnext::model {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;

bool is_folder(const fs::path& path) {
  std::error_code ignored;  // a name that is no path at all is not a folder
  return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) && !fs::is_directory(path, ignored);
}

// ---- configs ----

// An open_clip_config.json, or the bare model configuration that it wraps.
ClipConfig read_config(std::string_view text, const std::string& name, const std::string& source) {
  const Json json = parse_json(text, source);
  if (!json.is_object() || !json.contains("model_cfg")) {
    require(json.is_object() && json.contains("vision_cfg"), source,
            ": expected an object with \"model_cfg\" (open_clip_config.json) or with "
            "\"embed_dim\", \"vision_cfg\" and \"text_cfg\"");
    return parse_model_config(json, name, source);
  }
  ClipConfig config = parse_model_config(json.at("model_cfg"), name, source);
  const auto preprocess = json.find("preprocess_cfg");
  if (preprocess != json.end() && !preprocess->is_null()) {
    apply_preprocess_config(*preprocess, source, config);
  }
  return config;
}

ClipConfig read_config_file(const fs::path& file, const std::string& name) {
  return read_config(read_file(file, kMaxConfigBytes), name, file.string());
}

void set_config(Model& model, std::string text, const std::string& name,
                const std::string& source) {
  model.config = read_config(text, name, source);
  model.config_json = std::move(text);
}

void set_config_file(Model& model, const fs::path& file, const std::string& name) {
  set_config(model, read_file(file, kMaxConfigBytes), name, file.string());
}

void set_builtin_config(Model& model, const std::string& name) {
  model.config = builtin_config(name);
  model.config_json = builtin_config_json(name);
}

// The last component, also of "folder/" and ".".
std::string folder_name(const fs::path& folder) {
  std::error_code ignored;
  const fs::path full = fs::weakly_canonical(folder, ignored);
  const std::string name = full.filename().string();
  return name.empty() ? folder.string() : name;
}

// ---- files and folders ----

// Empty if there are none.
fs::path find_weights(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (is_file(it->path())) names.push_back(it->path().filename().string());
  }
  require(!error, folder.string(), ": cannot list the folder: ", error.message());
  const std::string chosen = hub::choose_weights(names);
  return chosen.empty() ? fs::path() : folder / chosen;
}

std::string read_metadata(const weights::Checkpoint& checkpoint) {
  const auto it = checkpoint.metadata.find(kConfigMetadata);
  return it == checkpoint.metadata.end() ? "" : it->second;
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

fs::path beside(const fs::path& file) { return fs::path(file).replace_extension(".json"); }

// Whole in itself: what lies beside it does not matter.
Model open_packed(const fs::path& file, weights::Checkpoint checkpoint) {
  Model model;
  model.name = file.filename().string();
  model.weights_file = file;
  model.checkpoint = std::move(checkpoint);
  const std::string source = file.string() + ": metadata " + kConfigMetadata;
  std::string config = read_metadata(model.checkpoint);
  require(config.starts_with('{'), source, " is missing; a packed file holds its configuration");
  set_config(model, std::move(config), file.stem().string(), source);
  const auto merges = model.checkpoint.tensors.find(kMergesTensor);
  if (merges != model.checkpoint.tensors.end()) {
    const auto& bytes = merges->second.data;
    model.merges = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  return model;
}

Model open_file(const fs::path& file) {
  Model model;
  model.checkpoint = weights::open_checkpoint(file);
  if (is_packed(model.checkpoint)) return open_packed(file, std::move(model.checkpoint));
  model.weights_file = file;
  const std::string stem = file.stem().string();
  model.name = file.filename().string();
  const std::string metadata = read_metadata(model.checkpoint);
  const std::string metadata_source = file.string() + ": metadata " + kConfigMetadata;
  const fs::path folder = folder_of(file);
  if (is_file(beside(file))) {
    set_config_file(model, beside(file), stem);
  } else if (metadata.starts_with('{')) {
    set_config(model, metadata, stem, metadata_source);
  } else if (!metadata.empty()) {
    require(is_builtin_config(metadata), metadata_source, " names \"", metadata,
            "\", which is no config of this program");
    set_builtin_config(model, metadata);
  } else if (is_file(folder / kConfigFile)) {
    set_config_file(model, folder / kConfigFile, stem);
    model.tokenizer_folder = folder;
  } else {
    fail(file.string(), ": no configuration for it: looked for ", beside(file).string(), ", ",
         (folder / kConfigFile).string(), " and \"", kConfigMetadata,
         "\" in its metadata; name the architecture: --model CONFIG --pretrained ", file.string());
  }
  return model;
}

Model open_folder(const fs::path& folder, const std::string& name) {
  const fs::path config = folder / kConfigFile;
  const fs::path weights = find_weights(folder);
  if (weights.empty()) {
    require(is_file(config), folder.string(), ": not a model folder: it has neither ", kConfigFile,
            " nor weights (open_clip_model.safetensors, open_clip_pytorch_model.bin, ...)");
    fail(folder.string(), ": has ", kConfigFile,
         " but no weights; looked for open_clip_model.safetensors, open_clip_pytorch_model.bin "
         "and any other .safetensors, .bin, .pth or .pt");
  }
  Model model;
  model.checkpoint = weights::open_checkpoint(weights);
  if (is_packed(model.checkpoint)) return open_packed(weights, std::move(model.checkpoint));
  require(is_file(config), folder.string(), ": has ", weights.filename().string(), " but no ",
          kConfigFile, "; put it there, or name the architecture: --model CONFIG --pretrained ",
          weights.string());
  model.weights_file = weights;
  model.name = name;
  set_config_file(model, config, model.name);
  model.tokenizer_folder = folder;
  return model;
}

// ---- the hub ----

// A snapshot is named by its commit, which tells nobody anything. Its tokenizer files, if another
// library fetched some, are not read: open_clip has its own vocabulary for such a model.
Model open_repository(const std::string& name) {
  const hub::Repository repository = hub::parse_repository(name);
  Model model = open_folder(hub::model_folder(repository, true), repository.name());
  model.tokenizer_folder.clear();
  return model;
}

ClipConfig repository_config(const std::string& name) {
  const hub::Repository repository = hub::parse_repository(name);
  return read_config_file(hub::model_folder(repository, false) / kConfigFile, repository.name());
}

// ---- config names ----

bool uses_quick_gelu(const ClipConfig& config) {
  return config.text.activation == Activation::kQuickGelu;
}

std::string quick_gelu_advice(const std::string& config) {
  const std::string twin = config + "-quickgelu";
  return is_builtin_config(twin) ? "use --model " + twin
                                 : "set quick_gelu in the model's configuration";
}

std::string how_to_get(const PretrainedTag& tag) {
  return "use --model " + std::string(hub::kPrefix) + tag.repo;
}

// Why `pretrained` is not a file that can be opened.
[[noreturn]] void refuse_pretrained(const std::string& config, const std::string& pretrained) {
  if (is_folder(pretrained)) {
    fail(pretrained, ": is a folder; give it as --model (it brings its own configuration), or a ",
         "file in it as --pretrained");
  }
  const PretrainedTag* tag = find_pretrained(config, pretrained);
  if (tag != nullptr) {
    fail("--pretrained ", pretrained, " names published weights, which come with their ",
         "configuration: ", how_to_get(*tag),
         tag->quick_gelu && !uses_quick_gelu(builtin_config(config))
             ? " (they need QuickGELU: " + quick_gelu_advice(config) + " with a single file)"
             : "");
  }
  std::vector<std::string> known;
  for (const PretrainedTag& entry : pretrained_tags()) {
    if (entry.config == config) known.push_back(entry.tag);
  }
  fail("--pretrained ", pretrained, ": no such file, and no published weights of ", config,
       " have this name", did_you_mean(pretrained, known));
}

// Weights that say they were trained with QuickGELU under a config that computes GELU give wrong
// answers that look right.
std::vector<std::string> quick_gelu_warnings(const Model& model, const std::string& file) {
  if (uses_quick_gelu(model.config)) return {};
  const bool openai = model.checkpoint.format == weights::Format::kTorchScript;
  const bool named = fs::path(file).filename().string().find("quickgelu") != std::string::npos;
  if (!openai && !named) return {};
  return {file + (openai ? ": OpenAI's weights were" : ": by its name, was") +
          " trained with QuickGELU, but config " + model.config.name +
          " computes GELU; results will be wrong: " + quick_gelu_advice(model.config.name)};
}

// A downloaded file named with --pretrained leaves its folder's preprocessing unread, as in
// open_clip; where that matters the user should know.
std::vector<std::string> preprocessing_warnings(const Model& model, const fs::path& file) {
  const fs::path config = folder_of(file) / kConfigFile;
  if (!is_file(config)) return {};
  try {
    if (read_config_file(config, "").preprocess == model.config.preprocess) return {};
  } catch (const Error&) {  // not asked for, so not this command's business
    return {};
  }
  return {config.string() + " asks for another preprocessing than config " + model.config.name +
          ", which is used; to use the folder's, give it as --model without --pretrained"};
}

// A model whose config is set, without weights so far.
Model open_named(Model model, const std::string& pretrained) {
  const std::string& config = model.config.name;
  if (pretrained.empty()) {
    const PretrainedTag* tag = nullptr;
    for (const PretrainedTag& entry : pretrained_tags()) {
      if (entry.config == config) tag = &entry;
    }
    fail("model ", config, " needs weights: --pretrained FILE",
         tag == nullptr ? "" : "; of the published ones (`clipnext models`), " + how_to_get(*tag));
  }
  if (!is_file(pretrained)) refuse_pretrained(config, pretrained);
  model.checkpoint = weights::open_checkpoint(pretrained);
  require(!is_packed(model.checkpoint), pretrained,
          ": is a packed file, which brings its own configuration; give it as --model");
  model.weights_file = pretrained;
  model.name = config + " (" + fs::path(pretrained).filename().string() + ")";
  model.warnings = quick_gelu_warnings(model, pretrained);
  for (std::string& warning : preprocessing_warnings(model, pretrained)) {
    model.warnings.push_back(std::move(warning));
  }
  return model;
}

// ---- the demo model ----

DemoModel require_demo() {
  const auto demo = demo_model();
  require(demo.has_value(),
          "no model given: use --model (a config name with --pretrained FILE, a folder with ",
          kConfigFile, ", or a checkpoint) or set CLIPNEXT_MODEL");
  return *demo;
}

ClipConfig demo_config(const DemoModel& demo) {
  return read_config(demo.config_json, std::string(demo.name), std::string(demo.name));
}

Model open_demo() {
  const DemoModel demo = require_demo();
  Model model;
  set_config(model, std::string(demo.config_json), std::string(demo.name), std::string(demo.name));
  model.name = std::string(demo.name) + " (demo)";
  // The bytes are part of the program: nothing to keep alive.
  const std::shared_ptr<const void> owner(demo.weights.data(), [](const void*) {});
  model.checkpoint = weights::read_checkpoint(demo.weights, owner, model.name);
  return model;
}

}  // namespace

ModelSource find_source(const std::string& model) {
  std::string name = model;
  if (name.empty()) {
    const char* variable = std::getenv("CLIPNEXT_MODEL");
    if (variable == nullptr || *variable == '\0') return {};
    name = variable;
  }
  constexpr std::string_view kLocal = "local-dir:";
  if (name.starts_with(kLocal)) {
    name = name.substr(kLocal.size());
    require(is_folder(name), name, ": no such folder (from ", kLocal, ")");
    return {SourceKind::kFolder, name};
  }
  if (name.starts_with(hub::kPrefix)) return {SourceKind::kRepository, name};
  if (is_builtin_config(name)) return {SourceKind::kConfigName, name};
  if (is_folder(name)) return {SourceKind::kFolder, name};
  const bool json = fs::path(name).extension() == ".json";
  if (is_file(name)) return {json ? SourceKind::kConfigJson : SourceKind::kCheckpoint, name};
  fail("model \"", name, "\": no such file or folder, and no config of this name",
       did_you_mean(name, builtin_config_names()), "; `clipnext models` lists the configs");
}

bool is_packed(const weights::Checkpoint& checkpoint) {
  return checkpoint.metadata.contains(kPackedMetadata);
}

Model open_model(const std::string& model, const std::string& pretrained) {
  const ModelSource source = find_source(model);
  const bool wants_weights =
      source.kind == SourceKind::kConfigName || source.kind == SourceKind::kConfigJson;
  require(wants_weights || pretrained.empty(), "--pretrained ", pretrained,
          " goes with the name of a config (or its .json) as --model",
          source.kind == SourceKind::kDemo ? std::string(", and no --model is given")
                                           : ", but " + source.name + " brings its own weights");
  switch (source.kind) {
    case SourceKind::kDemo:
      return open_demo();
    case SourceKind::kConfigName: {
      Model named;
      set_builtin_config(named, source.name);
      return open_named(std::move(named), pretrained);
    }
    case SourceKind::kConfigJson: {
      Model named;
      set_config_file(named, source.name, fs::path(source.name).stem().string());
      return open_named(std::move(named), pretrained);
    }
    case SourceKind::kFolder:
      return open_folder(source.name, folder_name(source.name));
    case SourceKind::kRepository:
      return open_repository(source.name);
    case SourceKind::kCheckpoint:
      return open_file(source.name);
  }
  fail("model ", source.name, ": unknown kind");
}

fs::path timm_weights(const ConvNextConfig& trunk) {
  return hub::repository_file(hub::parse_repository(timm_repository(trunk)), "model.safetensors");
}

ClipConfig open_config(const std::string& model) { return open_config(find_source(model)); }

ClipConfig open_config(const ModelSource& source) {
  switch (source.kind) {
    case SourceKind::kDemo:
      return demo_config(require_demo());
    case SourceKind::kConfigName:
      return builtin_config(source.name);
    case SourceKind::kConfigJson:
      return read_config_file(source.name, fs::path(source.name).stem().string());
    case SourceKind::kFolder:
      if (is_file(fs::path(source.name) / kConfigFile)) {
        return read_config_file(fs::path(source.name) / kConfigFile, folder_name(source.name));
      }
      return open_folder(source.name, folder_name(source.name)).config;
    case SourceKind::kRepository:
      return repository_config(source.name);
    case SourceKind::kCheckpoint:
      return open_file(source.name).config;
  }
  fail("model ", source.name, ": unknown kind");
}

}  // namespace clipnext::model

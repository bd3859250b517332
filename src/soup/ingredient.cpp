#include "soup/ingredient.h"

#include <array>
#include <set>
#include <system_error>

#include "base/error.h"
#include "base/mapped_file.h"
#include "model/source.h"
#include "model/training_snapshot.h"
#include "weights/torch_value.h"
#include "weights/wrappers.h"

namespace clipnext::soup {
namespace {

namespace fs = std::filesystem;
using weights::TensorMap;

constexpr const char* kConfigFile = "open_clip_config.json";
constexpr std::string_view kText = "text.";

// In the order of what is read first where several are there.
constexpr std::array<std::string_view, 6> kTokenizerFiles = {
    "tokenizer.json",          "vocab.json",       "merges.txt", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json"};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::string last_component(const std::string& given) {
  std::error_code ignored;
  const fs::path full = fs::weakly_canonical(given, ignored);
  const std::string name = full.filename().string();
  return name.empty() ? given : name;
}

void take_config(Ingredient& ingredient, model::Model&& model) {
  ingredient.config = std::move(model.config);
  ingredient.config_json = std::move(model.config_json);
  for (const std::string_view file : kTokenizerFiles) {
    if (is_there(model.tokenizer_folder / file))
      ingredient.tokenizer_folder = model.tokenizer_folder;
  }
}

bool brings_config(const fs::path& file, const weights::Checkpoint& checkpoint) {
  return is_there(fs::path(file).replace_extension(".json")) ||
         is_there(file.parent_path() / kConfigFile) ||
         checkpoint.metadata.contains(model::kConfigMetadata);
}

TensorMap tensors_of(const weights::TorchValue& dict, const std::string& source) {
  TensorMap tensors;
  for (size_t i = 0; i < dict.items.size(); ++i) {
    const auto* name = std::get_if<std::string>(&dict.keys[i]);
    if (name != nullptr && dict.items[i].is(weights::TorchValue::Kind::kTensor)) {
      tensors[*name] = dict.items[i].tensor;
    }
  }
  weights::unwrap_names(tensors, source);
  return tensors;
}

TensorMap read_ema(const Ingredient& ingredient) {
  const std::string& name = ingredient.given;
  const std::string missing =
      name +
      ": --use-ema, but it has no averaged weights (state_dict_ema); leave --use-ema out, "
      "or use checkpoints of runs that kept an average";
  require(weights::holds_torch_values(ingredient.bytes, name), missing);
  const weights::TorchValue root =
      weights::read_torch_values(ingredient.bytes, ingredient.owner, name);
  const weights::TorchValue* ema = root.find("state_dict_ema");
  require(ema != nullptr && ema->is(weights::TorchValue::Kind::kDict) && !ema->items.empty(),
          missing);
  return tensors_of(*ema, name);
}

// A snapshot's `model.NAME` or `ema.NAME`, less the prefix.
TensorMap snapshot_tensors(const TensorMap& all, std::string_view prefix, const std::string& name) {
  TensorMap tensors;
  for (const auto& [key, tensor] : all) {
    if (key.starts_with(prefix)) tensors[key.substr(prefix.size())] = tensor;
  }
  require(!tensors.empty(), name, ": a snapshot without ", prefix, " tensors",
          prefix == "ema." ? "; leave --use-ema out" : "");
  return tensors;
}

// Plain names, and scalars as scalars.
void set_tensors(Ingredient& ingredient, TensorMap&& tensors) {
  for (auto& [name, tensor] : tensors) {
    const bool prefixed = name.starts_with(kText);
    ingredient.text_prefix = ingredient.text_prefix || prefixed;
    const std::string plain = prefixed ? name.substr(kText.size()) : name;
    if ((plain == "logit_scale" || plain == "logit_bias") && tensor.numel() == 1) {
      tensor.shape.clear();
    }
    require(ingredient.tensors.emplace(plain, std::move(tensor)).second, ingredient.given,
            ": tensor ", plain, " is there with and without `text.`");
  }
  require(!ingredient.tensors.empty(), ingredient.given, ": holds no tensors");
}

}  // namespace

Ingredient open_ingredient(const std::string& given, const OpenOptions& options) {
  Ingredient ingredient;
  ingredient.given = given;
  ingredient.name = last_component(given);
  std::error_code ignored;
  const bool folder = fs::is_directory(given, ignored) || given.starts_with("local-dir:") ||
                      given.starts_with("hf-hub:");
  if (folder) {
    model::Model model = model::open_model(given);
    ingredient.file = model.weights_file;
    take_config(ingredient, std::move(model));
  } else {
    require(is_there(given), given, ": no such file or folder");
    ingredient.file = given;
  }

  const auto mapped = std::make_shared<const MappedFile>(ingredient.file);
  ingredient.bytes = mapped->bytes();
  ingredient.owner = mapped;
  weights::Checkpoint checkpoint =
      weights::read_checkpoint(ingredient.bytes, mapped, ingredient.file.string());
  require(!model::is_packed(checkpoint), given,
          ": is a packed file, whose tensors are laid out for computing; use the weights it was "
          "made from");
  if (!folder && options.find_config && brings_config(ingredient.file, checkpoint)) {
    take_config(ingredient, model::open_model(given));
  }
  ingredient.format = checkpoint.format;
  ingredient.metadata = std::move(checkpoint.metadata);
  if (model::is_snapshot(
          {.format = checkpoint.format, .tensors = {}, .metadata = ingredient.metadata})) {
    set_tensors(ingredient,
                snapshot_tensors(checkpoint.tensors, options.use_ema ? "ema." : "model.", given));
  } else {
    set_tensors(ingredient, options.use_ema ? read_ema(ingredient) : std::move(checkpoint.tensors));
  }
  return ingredient;
}

std::string dtype_of(const Ingredient& ingredient) {
  std::set<weights::DType> types;
  for (const auto& [name, tensor] : ingredient.tensors) {
    if (weights::is_float(tensor.dtype)) types.insert(tensor.dtype);
  }
  if (types.size() != 1) return types.empty() ? "none" : "mixed";
  switch (*types.begin()) {
    case weights::DType::kF16:
      return "float16";
    case weights::DType::kBF16:
      return "bfloat16";
    case weights::DType::kF64:
      return "float64";
    default:
      return "float32";
  }
}

std::optional<double> logit_scale_of(const Ingredient& ingredient) {
  const auto found = ingredient.tensors.find("logit_scale");
  if (found == ingredient.tensors.end() || found->second.numel() != 1) return std::nullopt;
  return weights::to_f32(found->second)[0];
}

std::span<const std::string_view> tokenizer_files() { return kTokenizerFiles; }

}  // namespace clipnext::soup

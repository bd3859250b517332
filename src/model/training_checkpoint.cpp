// The checkpoints of open_clip's trainer.
#include "base/error.h"
#include "base/mapped_file.h"
#include "model/bind.h"
#include "model/optimizer_values.h"
#include "model/param_order.h"
#include "model/training_snapshot.h"
#include "model/training_state.h"
#include "weights/checkpoint.h"
#include "weights/torch_value.h"
#include "weights/wrappers.h"

namespace clipnext::model {
namespace {

using weights::TorchValue;
using Kind = TorchValue::Kind;

TorchValue state_dict(const weights::TensorMap& tensors, const ClipConfig& config) {
  TorchValue dict = weights::torch_dict(/*ordered=*/true);
  for (const ParamInfo& info : ordered_tensors(config)) {
    dict.add(checkpoint_name(config, info.name), weights::torch_tensor(tensors.at(info.name)));
  }
  return dict;
}

TorchValue scaler_to_torch(const ScalerState& scaler) {
  TorchValue dict = weights::torch_dict();
  dict.add("scale", weights::torch_float(scaler.scale));
  dict.add("growth_factor", weights::torch_float(scaler.growth_factor));
  dict.add("backoff_factor", weights::torch_float(scaler.backoff_factor));
  dict.add("growth_interval", weights::torch_int(scaler.growth_interval));
  dict.add("_growth_tracker", weights::torch_int(scaler.growth_tracker));
  return dict;
}

// The entries of a training checkpoint beside its tensors.
class Entries {
 public:
  Entries(const TorchValue& root, std::string what) : root_(root), what_(std::move(what)) {}

  std::optional<int64_t> integer(const char* key) const {
    const TorchValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    require(value->is(Kind::kInt), what_, ": \"", key, "\" is ", weights::kind_name(value->kind),
            ", expected a whole number");
    require(value->integer >= 0, what_, ": \"", key, "\" is ", value->integer);
    return value->integer;
  }

  double number(const char* key) const {
    const TorchValue* value = find(key);
    require(value != nullptr && (value->is(Kind::kFloat) || value->is(Kind::kInt)), what_, ": \"",
            key, "\" is missing or not a number");
    return value->is(Kind::kFloat) ? value->number : static_cast<double>(value->integer);
  }

  /// A dict with something in it, or nullptr.
  const TorchValue* dict(const char* key) const {
    const TorchValue* value = find(key);
    if (value == nullptr) return nullptr;
    require(value->is(Kind::kDict), what_, ": \"", key, "\" is ", weights::kind_name(value->kind),
            ", expected a dict");
    return value->items.empty() ? nullptr : value;
  }

  std::string text(const char* key) const {
    const TorchValue* value = find(key);
    return value != nullptr && value->is(Kind::kText) ? value->text : "";
  }

 private:
  // None stands for nothing.
  const TorchValue* find(const char* key) const {
    const TorchValue* value = root_.find(key);
    return value == nullptr || value->is(Kind::kNone) ? nullptr : value;
  }

  const TorchValue& root_;
  std::string what_;
};

std::optional<ScalerState> scaler_from_torch(const TorchValue* value, const std::string& what) {
  if (value == nullptr) return std::nullopt;
  const Entries entries(*value, what);
  ScalerState scaler;
  scaler.scale = entries.number("scale");
  scaler.growth_factor = entries.number("growth_factor");
  scaler.backoff_factor = entries.number("backoff_factor");
  scaler.growth_interval = entries.integer("growth_interval").value_or(scaler.growth_interval);
  scaler.growth_tracker = entries.integer("_growth_tracker").value_or(0);
  return scaler;
}

// A checkpoint's tensors by plain name, fitted to the config as weights always are.
weights::TensorMap plain_tensors(const weights::TensorMap& tensors, const ClipConfig& config,
                                 const std::string& source) {
  auto tree = bind_tensors(config, tensors, source);
  weights::TensorMap plain;
  visit(tree, config,
        [&](weights::Tensor& leaf, const ParamInfo& info) { plain[info.name] = std::move(leaf); });
  return plain;
}

weights::TensorMap tensors_of(const TorchValue& dict, const std::string& what) {
  weights::TensorMap tensors;
  for (size_t i = 0; i < dict.items.size(); ++i) {
    const auto* name = std::get_if<std::string>(&dict.keys[i]);
    require(name != nullptr && dict.items[i].is(Kind::kTensor), what,
            ": holds something other than named tensors");
    tensors[*name] = dict.items[i].tensor;
  }
  weights::unwrap_names(tensors, what);
  return tensors;
}

TrainingState from_torch(const TorchValue& root, const ClipConfig& config,
                         const std::optional<ParamGroups>& own, const std::string& name) {
  const Entries entries(root, name);
  TrainingState state;
  state.epoch = entries.integer("epoch").value_or(0);
  state.name = entries.text("name");
  state.global_step = entries.integer("global_step");
  state.samples_seen = entries.integer("samples_seen");
  const TorchValue* clip = entries.dict("state_dict");
  require(clip != nullptr, name, ": has an \"epoch\" but no \"state_dict\"");
  state.weights = plain_tensors(tensors_of(*clip, name + ": state_dict"), config, name);
  if (const TorchValue* ema = entries.dict("state_dict_ema")) {
    const std::string what = name + ": state_dict_ema";
    state.ema = plain_tensors(tensors_of(*ema, what), config, what);
  }
  if (const TorchValue* optimizer = own ? entries.dict("optimizer") : nullptr) {
    state.optimizer = optimizer_from_torch(*optimizer, config, *own, name + ": optimizer");
  }
  state.scaler = scaler_from_torch(entries.dict("scaler"), name + ": scaler");
  check_training_state(state, config, name);
  return state;
}

}  // namespace

void write_training_checkpoint(const std::filesystem::path& path, const TrainingState& state,
                               const ClipConfig& config) {
  check_training_state(state, config, path.string());
  TorchValue root = weights::torch_dict();
  root.add("epoch", weights::torch_int(state.epoch));
  root.add("name", weights::torch_text(state.name));
  root.add("state_dict", state_dict(state.weights, config));
  if (state.optimizer) root.add("optimizer", optimizer_to_torch(*state.optimizer));
  if (state.scaler) root.add("scaler", scaler_to_torch(*state.scaler));
  if (state.global_step) root.add("global_step", weights::torch_int(*state.global_step));
  if (state.samples_seen) root.add("samples_seen", weights::torch_int(*state.samples_seen));
  if (!state.ema.empty()) root.add("state_dict_ema", state_dict(state.ema, config));
  weights::write_torch_values(path, root);
}

TrainingState read_training_checkpoint(const std::filesystem::path& path, const ClipConfig& config,
                                       const std::optional<ParamGroups>& own) {
  auto file = std::make_shared<const MappedFile>(path);
  const auto bytes = file->bytes();
  return read_training_checkpoint(bytes, std::move(file), path.string(), config, own);
}

TrainingState read_training_checkpoint(std::span<const std::byte> bytes,
                                       std::shared_ptr<const void> owner, const std::string& name,
                                       const ClipConfig& config,
                                       const std::optional<ParamGroups>& own) {
  if (weights::holds_torch_values(bytes, name)) {
    const TorchValue root = weights::read_torch_values(bytes, owner, name, /*verify_bytes=*/true);
    if (root.find("epoch") != nullptr) return from_torch(root, config, own, name);
  }
  const weights::Checkpoint checkpoint = weights::read_checkpoint(bytes, std::move(owner), name);
  if (is_snapshot(checkpoint)) return snapshot_state(checkpoint, config, name);
  TrainingState state;
  state.bare = true;
  state.weights = plain_tensors(checkpoint.tensors, config, name);
  return state;
}

}  // namespace clipnext::model

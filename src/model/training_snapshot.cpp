#include "model/training_snapshot.h"

#include "base/content_hash.h"
#include "base/error.h"
#include "base/json.h"
#include "model/param_order.h"
#include "weights/safetensors.h"

namespace clipnext::model {
namespace {

using weights::Tensor;

constexpr const char* kKey = "clipnext.snapshot";
constexpr const char* kHashKey = "clipnext.snapshot.hash";
constexpr int64_t kVersion = 1;
constexpr size_t kAlignment = 64;

// Of every byte that the metadata's checks do not see, in the order of names, and of the state's
// text: what tells a snapshot damaged on disk, where a training run would go on with wrong numbers.
std::string hash_of(const weights::TensorMap& tensors, const std::string& text) {
  ContentHash hash = hash_text(text);
  for (const auto& [name, tensor] : tensors) {
    hash = hash_bytes(tensor.data,
                      hash_text(name + " " + std::string(weights::dtype_name(tensor.dtype)), hash));
  }
  return hash.hex();
}

// ---- to JSON ----

OrderedJson group_to_json(const OptimizerGroup& group) {
  return {{"lr", group.lr},
          {"beta1", group.beta1},
          {"beta2", group.beta2},
          {"eps", group.eps},
          {"weight_decay", group.weight_decay},
          {"params", group.params}};
}

OrderedJson state_to_json(const TrainingState& state, const ClipConfig& config) {
  OrderedJson json;
  json["version"] = kVersion;
  json["model"] = config.name;
  json["epoch"] = state.epoch;
  json["name"] = state.name;
  json["position"] = state.position;
  if (state.global_step) json["global_step"] = *state.global_step;
  if (state.samples_seen) json["samples_seen"] = *state.samples_seen;
  if (state.scaler) {
    json["scaler"] = {{"scale", state.scaler->scale},
                      {"growth_factor", state.scaler->growth_factor},
                      {"backoff_factor", state.scaler->backoff_factor},
                      {"growth_interval", state.scaler->growth_interval},
                      {"growth_tracker", state.scaler->growth_tracker}};
  }
  if (state.optimizer) {
    OrderedJson groups = OrderedJson::array();
    for (const OptimizerGroup& group : state.optimizer->groups) {
      groups.push_back(group_to_json(group));
    }
    OrderedJson steps = OrderedJson::object();
    for (const auto& [name, moments] : state.optimizer->moments) steps[name] = moments.step;
    json["optimizer"] = {{"groups", std::move(groups)}, {"steps", std::move(steps)}};
  }
  return json;
}

// ---- from JSON ----

OptimizerGroup group_from_json(const Json& json) {
  OptimizerGroup group;
  json.at("lr").get_to(group.lr);
  json.at("beta1").get_to(group.beta1);
  json.at("beta2").get_to(group.beta2);
  json.at("eps").get_to(group.eps);
  json.at("weight_decay").get_to(group.weight_decay);
  json.at("params").get_to(group.params);
  return group;
}

// The tensors whose names begin with `prefix`, without it.
weights::TensorMap take(const weights::TensorMap& tensors, const std::string& prefix) {
  weights::TensorMap taken;
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix);
       ++at) {
    taken[at->first.substr(prefix.size())] = at->second;
  }
  return taken;
}

OptimizerState optimizer_from_json(const Json& json, const weights::TensorMap& tensors,
                                   const std::string& source) {
  OptimizerState optimizer;
  for (const Json& group : json.at("groups")) optimizer.groups.push_back(group_from_json(group));
  const auto exp_avg = take(tensors, "exp_avg.");
  const auto exp_avg_sq = take(tensors, "exp_avg_sq.");
  for (const auto& [name, step] : json.at("steps").items()) {
    const auto first = exp_avg.find(name);
    const auto second = exp_avg_sq.find(name);
    require(first != exp_avg.end() && second != exp_avg_sq.end(), source, ": has no moments of ",
            name);
    optimizer.moments[name] = {first->second, second->second, step.get<int64_t>()};
  }
  return optimizer;
}

TrainingState state_from_json(const Json& json, const weights::TensorMap& tensors,
                              const std::string& source) {
  TrainingState state;
  json.at("epoch").get_to(state.epoch);
  json.at("name").get_to(state.name);
  json.at("position").get_to(state.position);
  if (json.contains("global_step")) state.global_step = json["global_step"].get<int64_t>();
  if (json.contains("samples_seen")) state.samples_seen = json["samples_seen"].get<int64_t>();
  if (json.contains("scaler")) {
    const Json& scaler = json["scaler"];
    state.scaler = ScalerState{
        scaler.at("scale").get<double>(), scaler.at("growth_factor").get<double>(),
        scaler.at("backoff_factor").get<double>(), scaler.at("growth_interval").get<int64_t>(),
        scaler.at("growth_tracker").get<int64_t>()};
  }
  if (json.contains("optimizer")) {
    state.optimizer = optimizer_from_json(json["optimizer"], tensors, source);
  }
  state.weights = take(tensors, "model.");
  state.ema = take(tensors, "ema.");
  return state;
}

}  // namespace

bool is_snapshot(const weights::Checkpoint& checkpoint) {
  return checkpoint.metadata.contains(kKey);
}

TrainingState snapshot_state(const weights::Checkpoint& checkpoint, const ClipConfig& config,
                             const std::string& source) {
  const auto found = checkpoint.metadata.find(kKey);
  require(found != checkpoint.metadata.end(), source, ": is not a snapshot of a training run");
  const Json json = parse_json(found->second, source + ": " + kKey);
  TrainingState state;
  std::string model;
  try {
    const auto version = json.at("version").get<int64_t>();
    require(version == kVersion, source, ": snapshot of version ", version,
            ", this program reads version ", kVersion);
    json.at("model").get_to(model);
    state = state_from_json(json, checkpoint.tensors, source);
  } catch (const Json::exception& e) {
    fail(source, ": ", kKey, " is damaged: ", e.what());
  }
  check_training_state(state, config, source + " (snapshot of " + model + ")");
  const auto hash = checkpoint.metadata.find(kHashKey);
  require(hash != checkpoint.metadata.end() &&
              hash->second == hash_of(checkpoint.tensors, found->second),
          source, ": the snapshot is damaged: its content is not what was written");
  return state;
}

void write_snapshot(const std::filesystem::path& path, const TrainingState& state,
                    const ClipConfig& config) {
  check_training_state(state, config, path.string());
  weights::TensorMap tensors;
  const auto add = [&](const std::string& prefix, const weights::TensorMap& from) {
    for (const auto& [name, tensor] : from) tensors[prefix + name] = tensor;
  };
  add("model.", state.weights);
  add("ema.", state.ema);
  if (state.optimizer) {
    for (const auto& [name, moments] : state.optimizer->moments) {
      tensors["exp_avg." + name] = moments.exp_avg;
      tensors["exp_avg_sq." + name] = moments.exp_avg_sq;
    }
  }
  std::string text;
  try {
    text = state_to_json(state, config).dump();
  } catch (const Json::exception&) {
    fail(path.string(), ": the run's name or position is not UTF-8");
  }
  const std::vector<std::pair<std::string, Tensor>> list(tensors.begin(), tensors.end());
  weights::write_safetensors_file(path, list, {{kKey, text}, {kHashKey, hash_of(tensors, text)}},
                                  kAlignment);
}

TrainingState read_snapshot(const std::filesystem::path& path, const ClipConfig& config) {
  return snapshot_state(weights::open_checkpoint(path), config, path.string());
}

}  // namespace clipnext::model

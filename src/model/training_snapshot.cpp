#include "model/training_snapshot.h"

#include <array>
#include <set>
#include <type_traits>
#include <variant>

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
constexpr int64_t kVersion = 2;
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

OrderedJson option_to_json(const OptimizerOption& option) {
  return std::visit(
      [](const auto& value) -> OrderedJson {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
          return nullptr;
        } else {
          return value;
        }
      },
      option);
}

OrderedJson group_to_json(const OptimizerGroup& group) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, option] : group.options.items) json[name] = option_to_json(option);
  json["params"] = group.params;
  return json;
}

OrderedJson optimizer_to_json(const OptimizerState& optimizer) {
  OrderedJson groups = OrderedJson::array();
  for (const OptimizerGroup& group : optimizer.groups) groups.push_back(group_to_json(group));
  OrderedJson steps = OrderedJson::object(), products = OrderedJson::object();
  OrderedJson by_muon = OrderedJson::object();
  std::set<std::string> kinds;
  for (const auto& [name, moments] : optimizer.moments) {
    steps[name] = moments.step;
    if (moments.mu_product) products[name] = *moments.mu_product;
    if (moments.use_muon) by_muon[name] = *moments.use_muon;
    for (const auto& [kind, tensor] : moments.tensors) kinds.insert(kind);
  }
  OrderedJson json = {{"step_count", static_cast<int>(optimizer.steps)},
                      {"state", kinds},
                      {"groups", std::move(groups)},
                      {"steps", std::move(steps)}};
  if (!products.empty()) json["mu_products"] = std::move(products);
  if (!by_muon.empty()) json["use_muon"] = std::move(by_muon);
  return json;
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
    json["optimizer"] = optimizer_to_json(*state.optimizer);
  }
  return json;
}

// ---- from JSON ----

OptimizerOption option_from_json(const OrderedJson& json) {
  if (json.is_null()) return std::monostate();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array() && !json.empty() && json[0].is_array()) return json.get<Coefficients>();
  if (json.is_array()) return json.get<std::array<double, 2>>();
  return json.get<double>();
}

OptimizerGroup group_from_json(const OrderedJson& json) {
  OptimizerGroup group;
  for (const auto& [name, value] : json.items()) {
    if (name == "params") {
      value.get_to(group.params);
    } else {
      group.options.set(name, option_from_json(value));
    }
  }
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

OptimizerState optimizer_from_json(const OrderedJson& json, const weights::TensorMap& tensors,
                                   const std::string& source) {
  OptimizerState optimizer;
  for (const OrderedJson& group : json.at("groups")) {
    optimizer.groups.push_back(group_from_json(group));
  }
  // Version 1 was of AdamW alone.
  const auto steps = json.value("step_count", static_cast<int>(StepCount::kByParameter));
  require(steps >= 0 && steps <= static_cast<int>(StepCount::kNowhere), source,
          ": counts steps in a way that is not known here");
  optimizer.steps = static_cast<StepCount>(steps);
  const auto kinds = json.value("state", std::vector<std::string>{"exp_avg", "exp_avg_sq"});
  std::map<std::string, weights::TensorMap> by_kind;
  for (const std::string& kind : kinds) by_kind[kind] = take(tensors, kind + ".");
  const auto by_muon = json.value("use_muon", OrderedJson(OrderedJson::object()));
  for (const auto& [name, step] : json.at("steps").items()) {
    Moments& moments = optimizer.moments[name];
    moments.step = step.get<int64_t>();
    if (by_muon.contains(name)) moments.use_muon = by_muon[name].get<bool>();
    for (const auto& [kind, of_params] : by_kind) {
      const auto found = of_params.find(name);
      // Muon and its AdamW remember different ones.
      if (found == of_params.end() && moments.use_muon) continue;
      require(found != of_params.end(), source, ": has no ", kind, " of ", name);
      moments.tensors[kind] = found->second;
    }
  }
  if (json.contains("mu_products")) {
    for (const auto& [name, product] : json["mu_products"].items()) {
      optimizer.moments[name].mu_product = product.get<double>();
    }
  }
  return optimizer;
}

TrainingState state_from_json(const OrderedJson& json, const weights::TensorMap& tensors,
                              const std::string& source) {
  TrainingState state;
  json.at("epoch").get_to(state.epoch);
  json.at("name").get_to(state.name);
  json.at("position").get_to(state.position);
  if (json.contains("global_step")) state.global_step = json["global_step"].get<int64_t>();
  if (json.contains("samples_seen")) state.samples_seen = json["samples_seen"].get<int64_t>();
  if (json.contains("scaler")) {
    const OrderedJson& scaler = json["scaler"];
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
  const OrderedJson json = parse_ordered_json(found->second, source + ": " + kKey);
  TrainingState state;
  std::string model;
  try {
    const auto version = json.at("version").get<int64_t>();
    require(version >= 1 && version <= kVersion, source, ": snapshot of version ", version,
            ", this program reads versions 1 to ", kVersion);
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
      for (const auto& [kind, tensor] : moments.tensors)
        tensors[std::string(kind).append(".").append(name)] = tensor;
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

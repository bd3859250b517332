#include "train/run_state.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "model/training_snapshot.h"
#include "weights/checkpoint.h"

namespace clipnext::train {
namespace {

weights::Tensor copy_of(const at::Tensor& t) {
  const at::Tensor plain = t.detach().to(at::kCPU, at::kFloat).contiguous();
  auto made = weights::allocate_tensor(weights::DType::kF32, plain.sizes().vec());
  std::memcpy(made.bytes.data(), plain.data_ptr<float>(), made.bytes.size());
  return made.tensor;
}

void set(const weights::Tensor& from, at::Tensor& to) {
  const std::vector<float> values = weights::to_f32(from);
  to.copy_(at::from_blob(const_cast<float*>(values.data()), to.sizes(), at::kFloat));
}

OrderedJson loader_json(const pipeline::LoaderPosition& position) {
  return {{"batches", position.batches}, {"taken", position.taken}};
}

std::string progress_json(const RunProgress& progress) {
  OrderedJson json = {{"step", progress.step}};
  if (const auto& shape = progress.shape) {
    json["epoch"] = {{"steps", shape->steps},
                     {"batch_size", shape->batch_size},
                     {"accum_freq", shape->accum_freq}};
  }
  for (const auto& rank : progress.ranks) json["ranks"].push_back(loader_json(rank));
  return json.dump();
}

int64_t step_of(const model::TrainingState& state, const std::string& source) {
  if (state.position.empty()) return 0;
  try {
    return Json::parse(state.position).at("step").get<int64_t>();
  } catch (const Json::exception& error) {
    fail(source, ": its step in the epoch is not readable: ", error.what());
  }
}

RunProgress read_progress(const model::TrainingState& state, const std::string& source,
                          const Group& group) {
  RunProgress progress{.epoch = state.epoch};
  if (state.position.empty()) return progress;
  try {
    const Json json = Json::parse(state.position);
    progress.step = json.at("step").get<int64_t>();
    if (progress.step == 0) return progress;  // of which no rank has begun
    if (const auto shape = json.find("epoch"); shape != json.end()) {
      progress.shape = {.steps = shape->at("steps").get<int64_t>(),
                        .batch_size = shape->at("batch_size").get<int64_t>(),
                        .accum_freq = shape->at("accum_freq").get<int64_t>()};
    }
    const Json& ranks = json.at("ranks");
    require(static_cast<int64_t>(ranks.size()) == group.size(), source,
            " was written in the middle of an epoch by ", ranks.size(),
            " processes and can only go on with as many, not ", group.size(),
            "; the last finished epoch's checkpoint (--resume FILE) goes on with any number");
    const Json& mine = ranks.at(static_cast<size_t>(group.rank()));
    progress.loader.batches = mine.at("batches").get<int64_t>();
    progress.loader.taken = mine.at("taken").get<std::vector<int64_t>>();
  } catch (const Json::exception& error) {
    fail(source, ": its place in the epoch is not readable: ", error.what());
  }
  return progress;
}

void load_slot(const model::Moments& saved, const model::OptimizerKind& kind, Slot& slot,
               const std::string& source) {
  const bool is_muon = kind.rule == model::OptimizerRule::kMuon;
  const auto refuse = [&](bool lacks, const std::string& what) {
    require(!lacks, source, ": its optimizer was another than --opt: of ", slot.name,
            " there is no ", what,
            "; give the --opt it was trained with, or begin from its weights "
            "alone (--pretrained)");
  };
  refuse(is_muon && !saved.use_muon, "use_muon");
  require(!is_muon || saved.use_muon == slot.by_muon, source, ": Muon ",
          slot.by_muon ? "left " : "did not leave ", slot.name,
          " to its AdamW; give the --opt-fallback-list it was trained with");
  const auto names = model::state_names(kind, slot.by_muon);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto found = saved.tensors.find(names[i]);
    refuse(found == saved.tensors.end(), names[i]);
    set(found->second, slot.state[i]);
  }
  if (kind.rule == model::OptimizerRule::kNAdam) {
    refuse(!saved.mu_product, "mu_product");
    slot.mu_product = static_cast<float>(*saved.mu_product);
  }
  // Those that do not count know only that there was a first step.
  slot.step.fill_(static_cast<float>(std::max<int64_t>(1, saved.step)));
}

void load_moments(const model::OptimizerState& saved, Optimizer& optimizer,
                  const std::string& source) {
  for (SlotGroup& group : optimizer.groups()) {
    for (Slot& slot : group.slots) {
      const auto found = saved.moments.find(slot.name);
      if (found == saved.moments.end()) continue;
      load_slot(found->second, optimizer.kind(), slot, source);
    }
  }
}

/// Whose the numbers in its state_dict are.
model::ParamGroups names_of(Optimizer& optimizer) {
  model::ParamGroups groups;
  for (const SlotGroup& group : optimizer.groups()) {
    std::vector<std::string>& names = groups.emplace_back();
    for (const Slot& slot : group.slots) names.push_back(slot.name);
  }
  return groups;
}

model::OptimizerState copy_optimizer(Optimizer& optimizer) {
  const model::OptimizerKind& kind = optimizer.kind();
  model::OptimizerState state;
  state.steps = kind.steps;
  for (SlotGroup& group : optimizer.groups()) {
    model::OptimizerGroup saved;
    saved.options = optimizer.options_of(group);
    for (Slot& slot : group.slots) {
      saved.params.push_back(slot.name);
      const auto step = static_cast<int64_t>(slot.step.item<float>());
      if (step == 0) continue;
      model::Moments& moments = state.moments[slot.name];
      moments.step = step;
      const auto names = model::state_names(kind, slot.by_muon);
      for (size_t i = 0; i < names.size(); ++i) {
        moments.tensors[names[i]] = copy_of(slot.state[i]);
      }
      if (kind.rule == model::OptimizerRule::kMuon) moments.use_muon = slot.by_muon;
      if (kind.rule == model::OptimizerRule::kNAdam) moments.mu_product = slot.mu_product;
    }
    state.groups.push_back(std::move(saved));
  }
  return state;
}

}  // namespace

RunProgress gather_progress(const RunProgress& progress, Group& group) {
  std::vector<int64_t> mine = {progress.loader.batches};
  mine.insert(mine.end(), progress.loader.taken.begin(), progress.loader.taken.end());
  const at::Tensor all =
      group.all_gather(at::tensor(mine, at::kLong).unsqueeze(0)).contiguous();  // [ranks, 1 + n]
  RunProgress everywhere = progress;
  everywhere.ranks.clear();
  for (int64_t rank = 0; rank < all.size(0); ++rank) {
    const int64_t* numbers = all[rank].data_ptr<int64_t>();
    everywhere.ranks.push_back(
        {.batches = numbers[0], .taken = {numbers + 1, numbers + all.size(1)}});
  }
  return everywhere;
}

CheckpointCopy copy_state(const model::ClipConfig& config, const std::string& name, Params& params,
                          Stepper& stepper, int64_t epoch, int64_t steps, int64_t samples) {
  CheckpointCopy state;
  state.epoch = epoch;
  state.name = name;
  size_t i = 0;
  for_each_param(params, config, [&](at::Tensor& t, const model::ParamInfo& info) {
    state.weights[info.name] = copy_of(t);
    if (!stepper.ema().empty()) state.ema[info.name] = copy_of(stepper.ema()[i++]);
  });
  state.optimizer = copy_optimizer(stepper.optimizer());
  if (stepper.scales_loss()) {
    const LossScaler& scaler = stepper.scaler();
    state.scaler = {.scale = scaler.scale,
                    .growth_factor = scaler.growth_factor,
                    .backoff_factor = scaler.backoff_factor,
                    .growth_interval = scaler.growth_interval,
                    .growth_tracker = scaler.clean_steps};
  }
  state.global_step = steps;
  state.samples_seen = samples;
  return state;
}

void write_checkpoint_file(const std::filesystem::path& path, const model::ClipConfig& config,
                           const CheckpointCopy& state) {
  if (path.extension() == ".safetensors") {
    model::write_snapshot(path, state, config);
  } else {
    model::write_training_checkpoint(path, state, config);
  }
}

void write_snapshot_file(const std::filesystem::path& path, const model::ClipConfig& config,
                         const std::string& name, Params& params, Stepper& stepper,
                         const RunProgress& progress, int64_t steps) {
  CheckpointCopy state = copy_state(config, name, params, stepper, progress.epoch, steps, 0);
  state.samples_seen.reset();
  state.position = progress_json(progress);
  std::filesystem::create_directories(path.parent_path());
  model::write_snapshot(path, state, config);
}

run::ReadPosition position_reader(const model::ClipConfig& config, Optimizer& optimizer) {
  return [&config, groups = names_of(optimizer)](const std::filesystem::path& path) {
    const auto state = model::read_training_checkpoint(path, config, groups);
    return run::RunPosition{.epochs = state.epoch, .steps = step_of(state, path.string())};
  };
}

RunProgress load_state(const std::filesystem::path& path, const model::ClipConfig& config,
                       Params& params, Stepper& stepper, const Group& group) {
  const at::NoGradGuard no_grad;
  const auto state = model::read_training_checkpoint(path, config, names_of(stepper.optimizer()));
  size_t i = 0;
  for_each_param(params, config, [&](at::Tensor& t, const model::ParamInfo& info) {
    at::Tensor plain = t.detach();
    set(state.weights.at(info.name), plain);
    if (stepper.ema().empty()) return;
    // Averages that the file lacks begin with its weights.
    const auto& source = state.ema.empty() ? state.weights : state.ema;
    set(source.at(info.name), stepper.ema()[i++]);
  });
  if (state.optimizer) load_moments(*state.optimizer, stepper.optimizer(), path.string());
  if (state.scaler && stepper.scales_loss()) {
    stepper.scaler() = {.scale = state.scaler->scale,
                        .growth_factor = state.scaler->growth_factor,
                        .backoff_factor = state.scaler->backoff_factor,
                        .growth_interval = state.scaler->growth_interval,
                        .clean_steps = state.scaler->growth_tracker};
  }
  return read_progress(state, path.string(), group);
}

}  // namespace clipnext::train

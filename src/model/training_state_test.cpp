// Training checkpoints against those of open_clip and torch.optim (tests/data/model/training_tiny*,
// made by tools/make_training_fixtures.py with open_clip 3.3.0 and torch 2.15.0); the other way is
// checked by tools/check_training_checkpoint.py, which loads what these tests write.
#include "model/training_state.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/test_folder.h"
#include "hostile/mutate.h"
#include "model/optimizer_values.h"
#include "model/synthetic.h"
#include "model/training_fixtures.h"
#include "weights/checkpoint.h"
#include "weights/test_files.h"
#include "weights/torch_value.h"

namespace clipnext::model {
namespace {

using weights::error_of;
using weights::expect_contains;
using weights::Tensor;

constexpr const char* kByName = "training_tiny.pt";
constexpr const char* kByModel = "training_tiny_by_model.pt";
constexpr const char* kNAdam = "training_tiny_nadam.pt";
constexpr const char* kLamb = "training_tiny_lamb.pt";
constexpr const char* kLion = "training_tiny_lion.pt";
constexpr const char* kMuon = "training_tiny_muon.pt";
constexpr const char* kNAdaMuon = "training_tiny_nadamuon.pt";

// Scratch, or where tools/check_training_checkpoint.py asks for the files.
class OutputFolder {
 public:
  std::filesystem::path operator/(const std::string& name) const {
    const char* kept = std::getenv("CLIPNEXT_KEEP_CHECKPOINTS");
    return kept != nullptr ? std::filesystem::path(kept) / name : scratch_ / name;
  }

 private:
  TestFolder scratch_;
};

ClipConfig tiny_config() {
  const std::string text = read_file(training_file("training_tiny.json"));
  return parse_model_config(parse_json(text, "training_tiny.json"), "tiny", "training_tiny.json");
}

TrainingState read_tiny(const std::string& file) {
  return read_training_checkpoint(training_file(file), tiny_config());
}

float first(const Tensor& tensor) { return weights::to_f32(tensor).at(0); }

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.data.size() == b.data.size() &&
         std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0;
}

void expect_same(const weights::TensorMap& a, const weights::TensorMap& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(same_bytes(tensor, b.at(name))) << name;
}

void expect_same(const TrainingState& a, const TrainingState& b) {
  EXPECT_EQ(a.bare, b.bare);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.global_step, b.global_step);
  EXPECT_EQ(a.samples_seen, b.samples_seen);
  expect_same(a.weights, b.weights);
  expect_same(a.ema, b.ema);
  ASSERT_EQ(a.scaler.has_value(), b.scaler.has_value());
  if (a.scaler) {
    EXPECT_EQ(a.scaler->scale, b.scaler->scale);
    EXPECT_EQ(a.scaler->growth_factor, b.scaler->growth_factor);
    EXPECT_EQ(a.scaler->backoff_factor, b.scaler->backoff_factor);
    EXPECT_EQ(a.scaler->growth_interval, b.scaler->growth_interval);
    EXPECT_EQ(a.scaler->growth_tracker, b.scaler->growth_tracker);
  }
  ASSERT_EQ(a.optimizer.has_value(), b.optimizer.has_value());
  if (!a.optimizer) return;
  EXPECT_EQ(a.optimizer->steps, b.optimizer->steps);
  ASSERT_EQ(a.optimizer->groups.size(), b.optimizer->groups.size());
  for (size_t i = 0; i < a.optimizer->groups.size(); ++i) {
    const OptimizerGroup& left = a.optimizer->groups[i];
    const OptimizerGroup& right = b.optimizer->groups[i];
    EXPECT_EQ(left.options, right.options);
    EXPECT_EQ(left.params, right.params);
  }
  ASSERT_EQ(a.optimizer->moments.size(), b.optimizer->moments.size());
  for (const auto& [name, moments] : a.optimizer->moments) {
    const Moments& other = b.optimizer->moments.at(name);
    ASSERT_EQ(moments.tensors.size(), other.tensors.size()) << name;
    for (const auto& [kind, tensor] : moments.tensors) {
      EXPECT_TRUE(same_bytes(tensor, other.tensors.at(kind))) << kind << " " << name;
    }
    EXPECT_EQ(moments.step, other.step) << name;
    EXPECT_EQ(moments.mu_product, other.mu_product) << name;
    EXPECT_EQ(moments.use_muon, other.use_muon) << name;
  }
}

size_t count_files(const std::filesystem::path& folder) {
  const std::filesystem::directory_iterator files(folder);
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

// A model's state whose moments are its weights, so that whoever reads it can tell them apart.
TrainingState synthetic_state(const ClipConfig& config, DecayRule rule) {
  ThreadPool pool(1);
  TrainingState state;
  state.epoch = 4;
  state.name = "synthetic";
  OptimizerState optimizer;
  for (const ParamInfo& info : list_params(config)) {
    state.weights[info.name] = synthetic_tensor(info.name, info.shape, pool);
  }
  for (const auto& params : decay_groups(config, ordered_params(config), rule)) {
    OptimizerGroup& group = optimizer.groups.emplace_back();
    group.options = optimizer_kind("adamw").options;
    group.options.set("weight_decay", optimizer.groups.size() == 1 ? 0 : 0.2);
    for (const ParamInfo& info : params) {
      group.params.push_back(info.name);
      const weights::Tensor& values = state.weights[info.name];
      optimizer.moments[info.name] = {
          .tensors = {{"exp_avg", values}, {"exp_avg_sq", values}}, .step = 7, .mu_product = {}};
    }
  }
  state.optimizer = std::move(optimizer);
  return state;
}

// ---- open_clip's checkpoints ----

TEST(TrainingCheckpoint, ReadsTheTrainersOwn) {
  const TrainingState state = read_tiny(kByName);
  EXPECT_FALSE(state.bare);
  EXPECT_EQ(state.epoch, 2);
  EXPECT_EQ(state.name, "tiny");
  EXPECT_FALSE(state.scaler.has_value());
  EXPECT_FALSE(state.global_step.has_value());
  EXPECT_TRUE(state.ema.empty());
  EXPECT_EQ(state.weights.size(), 38U);
  EXPECT_EQ(first(state.weights.at("logit_scale")), 2.657313346862793f);
  EXPECT_EQ(first(state.weights.at("visual.conv1.weight")), -0.0030778618529438972f);

  const OptimizerState& optimizer = state.optimizer.value();
  ASSERT_EQ(optimizer.groups.size(), 2U);
  EXPECT_EQ(optimizer.groups[0].params.size(), 24U);
  EXPECT_EQ(optimizer.groups[1].params.size(), 14U);
  EXPECT_EQ(optimizer.steps, StepCount::kByParameter);
  EXPECT_EQ(optimizer.groups[0].options.number("weight_decay"), 0);
  const OptimizerOptions& options = optimizer.groups[1].options;
  EXPECT_EQ(options.number("weight_decay"), 0.2);
  EXPECT_EQ(options.number("lr"), 0.001);
  EXPECT_EQ(options.pair("betas"), (std::array{0.9, 0.98}));
  EXPECT_EQ(options.number("eps"), 1e-6);
  EXPECT_EQ(optimizer.moments.size(), 38U);
  const Moments& scale = optimizer.moments.at("logit_scale");
  EXPECT_EQ(scale.step, 2);
  EXPECT_EQ(first(scale.tensors.at("exp_avg")), 0.7415661215782166f);
  EXPECT_EQ(first(scale.tensors.at("exp_avg_sq")), 0.6730806231498718f);
  EXPECT_EQ(first(optimizer.moments.at("positional_embedding").tensors.at("exp_avg")),
            7.218171119689941f);
  EXPECT_EQ(first(optimizer.moments.at("visual.conv1.weight").tensors.at("exp_avg")),
            0.013209600001573563f);
}

TEST(TrainingCheckpoint, ReadsParallelNamesAndTheOtherGroups) {
  const TrainingState state = read_tiny(kByModel);
  EXPECT_EQ(state.global_step, 2);
  EXPECT_EQ(state.samples_seen, 8);
  EXPECT_EQ(state.scaler.value().scale, 65536);
  EXPECT_EQ(state.scaler.value().growth_tracker, 2);
  expect_same(state.ema, state.weights);
  const OptimizerState& optimizer = state.optimizer.value();
  EXPECT_EQ(optimizer.groups[0].params.size(), 26U);
  EXPECT_EQ(optimizer.groups[1].params.size(), 12U);
  EXPECT_EQ(first(optimizer.moments.at("logit_scale").tensors.at("exp_avg")), 0.7415846586227417f);
  EXPECT_EQ(first(optimizer.moments.at("positional_embedding").tensors.at("exp_avg")),
            7.217878341674805f);
}

TEST(TrainingCheckpoint, TensorsStayInTheFile) {
  const TrainingState state = read_tiny(kByName);
  EXPECT_EQ(state.weights.at("logit_scale").owner,
            state.optimizer->moments.at("visual.proj").tensors.at("exp_avg").owner);
}

TEST(TrainingCheckpoint, WritesWhatIsReadBack) {
  const OutputFolder folder;
  for (const char* file : {kByName, kByModel, kNAdam, kLamb, kLion, kMuon, kNAdaMuon}) {
    const TrainingState state = read_tiny(file);
    write_training_checkpoint(folder / file, state, tiny_config());
    expect_same(read_training_checkpoint(folder / file, tiny_config()), state);
  }
}

TEST(TrainingCheckpoint, ReadsOtherOptimizers) {
  const OptimizerState nadam = read_tiny(kNAdam).optimizer.value();
  EXPECT_EQ(nadam.steps, StepCount::kByParameter);
  EXPECT_EQ(nadam.moments.at("logit_scale").step, 2);
  // mu_1 mu_2 of beta1 0.9 and momentum_decay 0.004
  EXPECT_NEAR(nadam.moments.at("logit_scale").mu_product.value(), 0.202599, 1e-5);
  const OptimizerState lamb = read_tiny(kLamb).optimizer.value();
  EXPECT_EQ(lamb.steps, StepCount::kByGroup);
  EXPECT_EQ(lamb.moments.at("ln_final.bias").step, 2);
  EXPECT_EQ(lamb.moments.at("visual.proj").step, 2);
  const OptimizerState lion = read_tiny(kLion).optimizer.value();
  EXPECT_EQ(lion.steps, StepCount::kNowhere);
  EXPECT_EQ(lion.moments.at("visual.proj").tensors.size(), 1U);
}

// Each says whether Muon updates it, and AdaMuon alone counts steps of those that it does.
TEST(TrainingCheckpoint, ReadsMuonAndWhatItLeavesToAdamW) {
  for (const char* file : {kMuon, kNAdaMuon}) {
    SCOPED_TRACE(file);
    const bool ada = std::string_view(file) == kNAdaMuon;
    const OptimizerState muon = read_tiny(file).optimizer.value();
    EXPECT_EQ(muon.steps, StepCount::kByParameter);
    const OptimizerOptions& options = muon.groups[1].options;
    EXPECT_EQ(options.text("algo"), ada ? "adamuon" : "muon");
    EXPECT_EQ(options.text("ns_coefficients"), "quintic");
    EXPECT_EQ(options.flag("nesterov"), ada);
    const Moments &matrix = muon.moments.at("visual.proj"),
                  &bias = muon.moments.at("ln_final.bias");
    EXPECT_EQ(matrix.use_muon, true);
    EXPECT_EQ(matrix.tensors.size(), ada ? 2U : 1U);
    EXPECT_TRUE(matrix.tensors.contains("momentum_buffer"));
    EXPECT_EQ(matrix.step, ada ? 2 : 0);
    EXPECT_EQ(bias.use_muon, false);
    EXPECT_EQ(bias.step, 2);
    EXPECT_TRUE(bias.tensors.contains("exp_avg"));
  }
}

// As --opt-fallback-list and --opt-kwargs make them.
TEST(TrainingCheckpoint, KeepsWhatMuonsGroupsSay) {
  const TestFolder folder;
  const ClipConfig config = tiny_config();
  TrainingState state = read_tiny(kMuon);
  auto& groups = state.optimizer->groups;
  groups.push_back(groups[1]);
  groups[2].params = {groups[1].params.back()};
  groups[1].params.pop_back();
  groups[2].options.set("use_fallback", true);
  groups[0].options.set("ns_coefficients", Coefficients{{3.5, -4.75, 2.0}});
  groups[1].options.set("ns_coefficients", Coefficients{{3.5, -4.75, 2.0}, {2.0, -1.5, 0.5}});
  groups[1].options.set("adjust_lr_fn", std::monostate());
  ParamGroups own;
  for (const OptimizerGroup& group : groups) own.push_back(group.params);
  write_training_checkpoint(folder / "x.pt", state, config);
  expect_same(read_training_checkpoint(folder / "x.pt", config, own), state);
  write_snapshot(folder / "x.safetensors", state, config);
  expect_same(read_snapshot(folder / "x.safetensors", config), state);
}

void expect_trainers_keys(const std::string& file) {
  SCOPED_TRACE(file);
  const TestFolder folder;
  write_training_checkpoint(folder / "x.pt", read_tiny(file), tiny_config());
  const auto ours = weights::read_torch_values(folder / "x.pt");
  const auto theirs = weights::read_torch_values(training_file(file));
  EXPECT_EQ(ours.keys, theirs.keys);
  EXPECT_EQ(ours.find("state_dict")->keys, theirs.find("state_dict")->keys);
  EXPECT_TRUE(ours.find("state_dict")->ordered);
  const auto& our_groups = ours.find("optimizer")->find("param_groups")->items;
  const auto& their_groups = theirs.find("optimizer")->find("param_groups")->items;
  ASSERT_EQ(our_groups.size(), their_groups.size());
  for (size_t g = 0; g < our_groups.size(); ++g) {
    EXPECT_EQ(our_groups[g].keys, their_groups[g].keys);
    for (size_t i = 0; i < our_groups[g].items.size(); ++i) {
      EXPECT_EQ(our_groups[g].items[i].kind, their_groups[g].items[i].kind);
    }
  }
  const auto& our_state = *ours.find("optimizer")->find("state");
  const auto& their_state = *theirs.find("optimizer")->find("state");
  EXPECT_EQ(our_state.keys, their_state.keys);
  for (size_t i = 0; i < our_state.items.size(); ++i) {
    EXPECT_EQ(our_state.items[i].keys, their_state.items[i].keys) << i;
  }
}

TEST(TrainingCheckpoint, HasTheTrainersKeysInItsOrder) {
  for (const char* file : {kByName, kNAdam, kLamb, kLion, kMuon, kNAdaMuon}) {
    expect_trainers_keys(file);
  }
}

TEST(TrainingCheckpoint, HoldsEveryKindOfModel) {
  const OutputFolder folder;
  for (const char* name : {"convnext_atto mlp bias", "RN tiny",
                           "ViT not square, layer scale, text bias, logit bias"}) {
    for (const TrainingFixture& fixture : training_fixtures()) {
      if (fixture.config.name != name) continue;
      for (const bool custom : {false, true}) {
        SCOPED_TRACE(name);
        ClipConfig config = fixture.config;
        config.custom_text = custom;
        const auto rule = custom ? DecayRule::kByModel : DecayRule::kByName;
        const TrainingState state = synthetic_state(config, rule);
        const auto path = folder / (std::string(name) + (custom ? ".custom.pt" : ".pt"));
        write_training_checkpoint(path, state, config);
        expect_same(read_training_checkpoint(path, config), state);
      }
    }
  }
}

ParamGroups locked_groups(DecayRule rule) {
  const ClipConfig config = tiny_config();
  const Locking locking{.image = true, .image_unlocked_groups = 1};
  ParamGroups groups;
  for (const auto& params : decay_groups(config, trained_params(config, locking), rule)) {
    std::vector<std::string>& names = groups.emplace_back();
    for (const ParamInfo& info : params) names.push_back(info.name);
  }
  return groups;
}

// The tiny run's state, as if its optimizer had had these groups.
TrainingState tiny_in_groups(const ParamGroups& groups) {
  TrainingState state = read_tiny(kByName);
  OptimizerState optimizer;
  for (const auto& names : groups) {
    OptimizerGroup& group = optimizer.groups.emplace_back();
    group.options = optimizer_kind("adamw").options;
    group.params = names;
    for (const auto& name : names) optimizer.moments[name] = state.optimizer->moments.at(name);
  }
  state.optimizer = std::move(optimizer);
  return state;
}

TEST(TrainingCheckpoint, FindsTheParametersOfALockedRun) {
  const TestFolder folder;
  const ClipConfig config = tiny_config();
  const ParamGroups own = locked_groups(DecayRule::kByName);
  for (const DecayRule rule : {DecayRule::kByName, DecayRule::kByModel}) {
    TrainingState state = tiny_in_groups(locked_groups(rule));
    state.optimizer->moments.erase("ln_final.bias");  // as if it had no gradient yet
    write_training_checkpoint(folder / "x.pt", state, config);
    expect_same(read_training_checkpoint(folder / "x.pt", config, own), state);
    const std::string error = error_of([&] { read_training_checkpoint(folder / "x.pt", config); });
    expect_contains(error, "x.pt: optimizer: its groups of");
    expect_contains(error, "--lock");
  }
  expect_same(read_training_checkpoint(training_file(kByModel), config, own), read_tiny(kByModel));
}

// As layer-wise learning rates make them: many groups, in which parameters of one shape change
// places.
TEST(TrainingCheckpoint, FindsTheParametersByTheGroupsOfTheRunThatAsks) {
  const TestFolder folder;
  const ClipConfig config = tiny_config();
  ParamGroups groups;
  for (const ParamInfo& info : ordered_params(config)) groups.push_back({info.name});
  std::reverse(groups.begin(), groups.end());
  const TrainingState state = tiny_in_groups(groups);
  write_training_checkpoint(folder / "x.pt", state, config);
  expect_same(read_training_checkpoint(folder / "x.pt", config, groups), state);
  const std::string error = error_of([&] { read_training_checkpoint(folder / "x.pt", config); });
  expect_contains(error, "--...-layer-decay");
  groups.pop_back();
  expect_contains(error_of([&] { read_training_checkpoint(folder / "x.pt", config, groups); }),
                  "the groups of this run: would be 1 + 1");
}

TEST(TrainingCheckpoint, BareWeightsAreAFreshStart) {
  const TestFolder folder;
  const TrainingState state = read_tiny(kByName);
  weights::write_torch_zip(folder / "x.pt", state.weights);
  weights::write_safetensors(folder / "x.safetensors", state.weights);
  for (const char* file : {"x.pt", "x.safetensors"}) {
    const TrainingState bare = read_training_checkpoint(folder / file, tiny_config());
    EXPECT_TRUE(bare.bare);
    EXPECT_EQ(bare.epoch, 0);
    EXPECT_FALSE(bare.optimizer.has_value());
    expect_same(bare.weights, state.weights);
  }
}

// ---- snapshots ----

TrainingState tiny_snapshot() {
  TrainingState state = read_tiny(kByModel);
  state.position = R"({"step": 17, "keys": [1, 2]})";
  state.optimizer->groups[0].options.set("lr", 0.1 + 0.2);  // not a short decimal
  return state;
}

TEST(Snapshot, HoldsEverythingExactly) {
  const TestFolder folder;
  const TrainingState state = tiny_snapshot();
  write_snapshot(folder / "x.safetensors", state, tiny_config());
  for (const char* file : {kNAdam, kLamb, kLion, kMuon, kNAdaMuon}) {
    write_snapshot(folder / "y.safetensors", read_tiny(file), tiny_config());
    expect_same(read_snapshot(folder / "y.safetensors", tiny_config()), read_tiny(file));
  }
  for (const TrainingState& again :
       {read_snapshot(folder / "x.safetensors", tiny_config()),
        read_training_checkpoint(folder / "x.safetensors", tiny_config())}) {
    expect_same(again, state);
    EXPECT_EQ(again.position, state.position);
  }
}

TEST(Snapshot, OfAModelWithoutAnOptimizerIsComplete) {
  const TestFolder folder;
  TrainingState state = read_tiny(kByName);
  state.optimizer.reset();
  write_snapshot(folder / "x.safetensors", state, tiny_config());
  expect_same(read_snapshot(folder / "x.safetensors", tiny_config()), state);
}

TEST(Snapshot, IsRefusedIfAnythingInItChanged) {
  const TestFolder folder;
  write_snapshot(folder / "x.safetensors", tiny_snapshot(), tiny_config());
  const std::string file = read_file(folder / "x.safetensors");
  const auto error_with = [&](const std::string& content) {
    write_file(folder / "y.safetensors", content);
    return error_of([&] { read_snapshot(folder / "y.safetensors", tiny_config()); });
  };
  std::string damaged = file;
  damaged[damaged.size() - 2] ^= 1;
  expect_contains(error_with(damaged), "y.safetensors: the snapshot is damaged");
  damaged = file;
  damaged.replace(damaged.find("step\\\\\\\": 17"), 12, "step\\\\\\\": 18");
  expect_contains(error_with(damaged), "damaged");
  expect_contains(error_with(file.substr(0, file.size() / 2)), "truncated");
}

TEST(Snapshot, SaysWhatItIsNot) {
  const TestFolder folder;
  weights::write_safetensors(folder / "x.safetensors", read_tiny(kByName).weights);
  expect_contains(error_of([&] { read_snapshot(folder / "x.safetensors", tiny_config()); }),
                  "not a snapshot");
}

// ---- what does not fit ----

TEST(TrainingState, OfAnotherModelIsRefused) {
  const TestFolder folder;
  const TrainingState state = read_tiny(kByName);
  write_snapshot(folder / "x.safetensors", state, tiny_config());
  const ClipConfig other = builtin_config("ViT-S-32");
  for (const auto& path : {training_file(kByName), folder / "x.safetensors"}) {
    const std::string error = error_of([&] { read_training_checkpoint(path, other); });
    expect_contains(error, path.string());
    expect_contains(error, "fit the model ViT-S-32");
    expect_contains(error, "transformer.resblocks.10.ln_1.weight");
  }
}

TEST(TrainingState, IsCheckedBeforeItIsWritten) {
  const TestFolder folder;
  write_file(folder / "x.pt", "old");
  TrainingState state = read_tiny(kByName);
  state.weights.erase("logit_scale");
  state.weights["visual.proj"].shape = {4, 16};
  state.weights["more"] = state.weights["visual.proj"];
  state.optimizer->groups[0].params.pop_back();
  const std::string error =
      error_of([&] { write_training_checkpoint(folder / "x.pt", state, tiny_config()); });
  expect_contains(error, "logit_scale is missing");
  expect_contains(error, "visual.proj is [4, 16], expected [8, 8]");
  expect_contains(error, "more is not the model's");
  expect_contains(error, "the optimizer's state of ln_final.bias is in no group");
  EXPECT_THROW(write_snapshot(folder / "x.pt", state, tiny_config()), Error);
  EXPECT_EQ(read_file(folder / "x.pt"), "old");
}

TEST(TrainingState, AnotherOptimizerIsNamed) {
  const auto value_with = [](const char* key, weights::TorchValue value) {
    auto optimizer = optimizer_to_torch(read_tiny(kByName).optimizer.value());
    optimizer.items[1].items[0].add(key, std::move(value));
    return optimizer;
  };
  const auto error_with = [](const weights::TorchValue& value) {
    return error_of([&] { optimizer_from_torch(value, tiny_config(), {}, "x.pt: optimizer"); });
  };
  expect_contains(error_with(value_with("amsgrad", weights::torch_bool(true))), "amsgrad is on");
  expect_contains(error_with(value_with("lr", weights::torch_text("fast"))),
                  "x.pt: optimizer.param_groups.0: \"lr\" is text, expected a number");
  auto momentum = value_with("x", {});
  momentum.items[0].items[3] = weights::torch_dict();
  momentum.items[0].items[3].add("exp_avg", weights::torch_text("much"));
  expect_contains(error_with(momentum), "\"exp_avg\" is text, expected a tensor");
  momentum.items[0].items[3] = weights::torch_dict();
  momentum.items[0].items[3].add("use_muon", weights::torch_text("yes"));
  expect_contains(error_with(momentum), "\"use_muon\" is text, expected a bool");
}

TEST(TrainingState, AFullDiskLeavesTheOldFileAndNothingElse) {
  const TestFolder folder;
  const TrainingState state = tiny_snapshot();
  write_file(folder / "x", "old");
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 1 << 14;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::array errors{
      error_of([&] { write_training_checkpoint(folder / "x", state, tiny_config()); }),
      error_of([&] { write_snapshot(folder / "x", state, tiny_config()); })};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  for (const std::string& error : errors) expect_contains(error, "x: cannot write");
  EXPECT_EQ(read_file(folder / "x"), "old");
  EXPECT_EQ(count_files(folder.path()), 1U);
}

// ---- truncated and corrupt files ----

void survive(const std::filesystem::path& path) {
  const ClipConfig config = tiny_config();
  hostile::expect_survives(read_file(path),
                           [&](std::span<const std::byte> bytes) {
                             read_training_checkpoint(bytes, nullptr, "mutant", config);
                           },
                           {.peak_bytes = int64_t{72} << 20});
}

TEST(HostileTraining, Checkpoint) { survive(training_file(kByModel)); }

TEST(HostileTraining, Snapshot) {
  const TestFolder folder;
  write_snapshot(folder / "x.safetensors", tiny_snapshot(), tiny_config());
  survive(folder / "x.safetensors");
}

}  // namespace
}  // namespace clipnext::model

#include "train/setup.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "model/param_groups.h"
#include "model/param_order.h"
#include "model/source.h"
#include "run/optimizer_config.h"
#include "run/training_config.h"
#include "weights/checkpoint.h"

namespace clipnext::train {
namespace {

/// Weights to begin with, and their file.
struct GivenWeights {
  weights::Checkpoint checkpoint;
  std::string file;
};

void refuse_packed(const weights::Checkpoint& checkpoint, const std::string& file) {
  require(!model::is_packed(checkpoint), file,
          ": is a packed file, whose tensors are laid out for this program's kernels; begin with "
          "the weights it was made from");
}

/// What brings all weights of the model, --pretrained or else --model; empty if nothing does.
std::string checkpoint_of(const run::TrainOptions& options) {
  if (!options.pretrained.empty()) return options.pretrained;
  return run::model_source(options).kind == model::SourceKind::kFolder ? options.model : "";
}

std::optional<GivenWeights> given_weights(const run::TrainOptions& options) {
  const std::string named = checkpoint_of(options);
  if (named.empty()) return std::nullopt;
  if (named == options.pretrained) return GivenWeights{open_weights(named, "--pretrained"), named};
  model::Model found = model::open_model(named);
  refuse_packed(found.checkpoint, found.weights_file.string());
  return GivenWeights{std::move(found.checkpoint), found.weights_file.string()};
}

/// --lock-image, --lock-text.
model::Locking locking_of(const run::TrainOptions& options) {
  return {.image = options.lock_image,
          .image_unlocked_groups = options.lock_image_unlocked_groups,
          .text = options.lock_text,
          .text_unlocked_groups = options.lock_text_unlocked_layers};
}

bool matches(const std::string& name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

/// Moves what a pattern of --wd-exclude names to the group without decay, which keeps its order.
void exempt(const std::vector<std::string>& patterns, const std::vector<model::ParamInfo>& trained,
            std::array<std::vector<model::ParamInfo>, 2>& groups) {
  if (patterns.empty()) return;
  std::set<std::string> without;
  for (const model::ParamInfo& info : groups[0]) without.insert(info.name);
  for (const model::ParamInfo& info : trained) {
    if (matches(info.name, patterns)) without.insert(info.name);
  }
  for (auto& group : groups) group.clear();
  for (const model::ParamInfo& info : trained) {
    groups[without.contains(info.name) ? 0 : 1].push_back(info);
  }
}

/// In the order of open_clip_train 4, the first that has --opt-fallback-list.
void order_by_first(std::vector<SlotGroup>& groups, const std::vector<model::ParamInfo>& trained) {
  std::map<std::string, size_t, std::less<>> places;
  for (size_t i = 0; i < trained.size(); ++i) places[trained[i].name] = i;
  std::sort(groups.begin(), groups.end(), [&](const SlotGroup& a, const SlotGroup& b) {
    return places.at(a.slots.front().name) < places.at(b.slots.front().name);
  });
}

}  // namespace

weights::Checkpoint open_weights(const std::string& file, const std::string& option) {
  require(std::filesystem::exists(file), option, " ", file,
          ": no such file; tags of published weights are not looked up here, give the file");
  weights::Checkpoint checkpoint = weights::open_checkpoint(file);
  refuse_packed(checkpoint, file);
  return checkpoint;
}

void require_supported(const run::TrainOptions& options, const model::ClipConfig& config) {
  run::optimizer_config(options);
  require(!options.pretrained_image || std::holds_alternative<model::ConvNextConfig>(config.vision),
          "--pretrained-image: ", config.name,
          " has no image tower of timm (timm_model_name), so timm has no weights for it; give a "
          "checkpoint by --pretrained FILE");
  const bool evaluates = options.val_data || options.imagenet_val || options.imagenet_v2 ||
                         !options.zeroshot_data.empty();
  require(options.train_data || options.dataset_type == "synthetic" || evaluates,
          "nothing to do: give --train-data, or data to evaluate on (--val-data, --zeroshot-data)");
}

std::shared_ptr<const text::Tokenizer> training_tokenizer(const run::TrainOptions& options,
                                                          const model::ClipConfig& config) {
  const text::Clean clean = text::parse_clean(config.text.clean);
  const model::ModelSource source = run::model_source(options);
  if (source.kind == model::SourceKind::kFolder) {
    return std::make_shared<const text::Tokenizer>(
        text::Tokenizer::from_folder(source.name, clean));
  }
  return std::make_shared<const text::Tokenizer>(clean);
}

Params initial_params(const run::TrainOptions& options, const model::ClipConfig& config,
                      at::Device device, std::vector<std::string>& notes) {
  const auto given = given_weights(options);
  if (given && !options.pretrained_loose) {
    return from_tensors(config, given->checkpoint.tensors, given->file, device);
  }
  Params params = make_params(config, device);
  initialise(params, config, static_cast<uint64_t>(options.init_seed.value_or(options.seed)));
  if (!given) return params;
  for (const auto& misfit : load_fitting(params, config, given->checkpoint.tensors, given->file)) {
    notes.push_back("begins at random: " + misfit);
  }
  return params;
}

std::string load_image_weights(const run::TrainOptions& options, const model::ClipConfig& config,
                               Params& params, std::vector<std::string>& notes) {
  if (!options.pretrained_image) return "";
  if (const std::string checkpoint = checkpoint_of(options); !checkpoint.empty()) {
    notes.push_back("--pretrained-image has no effect: all weights are those of " + checkpoint);
    return "";
  }
  const auto& trunk = std::get<model::ConvNextConfig>(config.vision);
  std::string file = model::timm_weights(trunk).string();
  load_trunk(params, config, weights::open_checkpoint(file).tensors, file);
  return file;
}

Precision parse_precision(const std::string& name) {
  if (name == "fp32") return {};
  if (name == "amp") return {.autocast = at::kHalf, .loss_scaling = true};
  if (name == "amp_bf16" || name == "amp_bfloat16") return {.autocast = at::kBFloat16};
  if (name == "bf16") return {.parameters = at::kBFloat16};
  if (name == "fp16") return {.parameters = at::kHalf};
  if (name == "pure_bf16") return {.parameters = at::kBFloat16, .pure = true};
  if (name == "pure_fp16") return {.parameters = at::kHalf, .pure = true};
  fail("--precision ", name, ": fp32, amp, amp_bf16, bf16, fp16, pure_bf16 or pure_fp16");
}

std::string slow_precision_note(const Precision& precision, at::Device device,
                                const kernels::Cpu& cpu) {
  const bool halves = precision.autocast || precision.parameters;
  if (!halves || !device.is_cpu() || cpu.avx512) return {};
  return "--precision: this processor has no AVX-512, without which libtorch multiplies numbers of "
         "16 bits one at a time, many times more slowly than those of --precision fp32";
}

void cast(Params& params, const model::ClipConfig& config, const Precision& precision) {
  if (!precision.parameters) return;
  cast_params(params, config, *precision.parameters,
              precision.pure ? CastRule::kPure : CastRule::kNative);
}

StepOptions step_options(const run::TrainOptions& options, const Precision& precision) {
  StepOptions step;
  step.autocast = precision.autocast;
  step.loss_scaling = precision.loss_scaling;
  step.checkpoint = options.grad_checkpointing;
  step.freeze_batch_norm = options.lock_image && options.lock_image_freeze_bn_stats;
  step.share_batch_norm = options.use_bn_sync;
  step.sigmoid_loss = options.siglip;
  if (options.loss_memory == "exchange") step.loss.memory = FeatureMemory::kExchange;
  // Of one rank there is nothing to gather.
  if (!options.gather_with_grad && !options.siglip) step.loss.gradient = FeatureGradient::kShare;
  if (precision.autocast && options.logits_dtype == "bf16") {
    step.loss.logits_type = precision.autocast;
  }
  step.fix_accumulated_scale = options.accum_fix_scale;
  step.clip_norm = options.grad_clip_norm;
  step.on_nan = options.on_nan == "skip" ? OnNan::kSkip : OnNan::kFail;
  step.ema_decay = options.ema_decay;
  step.seed = static_cast<uint64_t>(options.seed);
  return step;
}

Optimizer make_optimizer(const run::TrainOptions& options, const model::ClipConfig& config,
                         Params& params) {
  const auto trained = model::trained_params(config, locking_of(options));
  std::map<std::string, at::Tensor*, std::less<>> tensors;
  for_each_param(params, config, [&](at::Tensor& t, const model::ParamInfo& info) {
    t.set_requires_grad(false);
    tensors[info.name] = &t;
  });
  // timm makes the groups of its optimizers itself.
  const bool by_name = options.decay_positional_embedding && !run::is_timm_optimizer(options);
  const auto rule = by_name ? model::DecayRule::kByName : model::DecayRule::kByModel;
  const auto scales = model::layer_lr_scales(config, options.image_layer_decay.value_or(1),
                                             options.text_layer_decay.value_or(1));
  auto members_of = model::decay_groups(config, trained, rule);
  exempt(options.wd_exclude, trained, members_of);
  std::vector<SlotGroup> groups;
  int decays = 0;
  for (const auto& members : members_of) {
    // One group for each share of the learning rate, the largest first, and one more for what is
    // left to Muon's AdamW.
    std::map<std::pair<double, bool>, SlotGroup> shares;
    for (const model::ParamInfo& info : members) {
      const auto scale = scales.find(info.name);
      const double share = scale == scales.end() ? 1 : scale->second;
      const bool fallback =
          matches(model::checkpoint_name(config, info.name), options.opt_fallback_list);
      SlotGroup& group = shares[{-share, fallback}];
      group.lr_scale = share;
      group.fallback = fallback;
      group.weight_decay = decays == 0 ? 0 : options.wd;
      at::Tensor& parameter = *tensors.at(info.name);
      parameter.set_requires_grad(true);
      group.slots.push_back({.name = info.name, .parameter = parameter});
    }
    for (auto& [share, group] : shares) groups.push_back(std::move(group));
    ++decays;
  }
  if (!options.opt_fallback_list.empty()) order_by_first(groups, trained);
  return {run::optimizer_config(options), std::move(groups)};
}

}  // namespace clipnext::train

#include "model/optimizer_kinds.h"

#include <algorithm>
#include <cctype>
#include <span>

#include "base/error.h"

namespace clipnext::model {
namespace {

using enum OptimizerRule;
using Items = std::vector<std::pair<std::string, OptimizerOption>>;
using Pair = std::array<double, 2>;

constexpr std::monostate kNone;

// ---- constructors' defaults, in their order but for weight_decay, which groups set first ----

Items adam(bool decoupled) {
  return {{"weight_decay", 0.01},
          {"lr", 1e-3},
          {"betas", Pair{0.9, 0.999}},
          {"eps", 1e-8},
          {"amsgrad", false},
          {"maximize", false},
          {"foreach", kNone},
          {"capturable", false},
          {"differentiable", false},
          {"fused", kNone},
          {"decoupled_weight_decay", decoupled}};
}

Items nadam(bool decoupled) {
  return {{"weight_decay", 0.0},       {"lr", 2e-3},
          {"betas", Pair{0.9, 0.999}}, {"eps", 1e-8},
          {"momentum_decay", 4e-3},    {"decoupled_weight_decay", decoupled},
          {"maximize", false},         {"foreach", kNone},
          {"capturable", false},       {"differentiable", false}};
}

Items timm_nadamw() {
  return {{"weight_decay", 0.01},       {"lr", 1e-3},
          {"betas", Pair{0.9, 0.999}},  {"eps", 1e-8},
          {"caution", false},           {"corrected_weight_decay", false},
          {"max_lr_snapshot", 1e-3},    {"foreach", kNone},
          {"maximize", false},          {"capturable", false},
          {"clipping_threshold", kNone}};
}

Items lamb() {
  return {{"weight_decay", 0.01},
          {"lr", 1e-3},
          {"bias_correction", true},
          {"betas", Pair{0.9, 0.999}},
          {"eps", 1e-6},
          {"grad_averaging", true},
          {"max_grad_norm", 1.0},
          {"trust_clip", false},
          {"always_adapt", false},
          {"caution", false},
          {"decoupled_decay", false},
          {"corrected_weight_decay", false},
          {"max_lr_snapshot", 1e-3},
          {"foreach", kNone}};
}

Items lion() {
  return {{"weight_decay", 0.0},
          {"lr", 1e-4},
          {"betas", Pair{0.9, 0.99}},
          {"caution", false},
          {"corrected_weight_decay", false},
          {"max_lr_snapshot", 1e-4},
          {"foreach", kNone},
          {"maximize", false}};
}

// timm asks for a momentum of 0.9 of those that have one.
Items sgd(bool nesterov) {
  return {
      {"weight_decay", 0.0},  {"lr", 1e-3},        {"momentum", 0.9},  {"dampening", 0.0},
      {"nesterov", nesterov}, {"maximize", false}, {"foreach", kNone}, {"differentiable", false},
      {"fused", kNone}};
}

Items sgdw() {
  return {{"weight_decay", 0.0},
          {"lr", 1e-3},
          {"momentum", 0.9},
          {"dampening", 0.0},
          {"nesterov", true},
          {"caution", false},
          {"corrected_weight_decay", false},
          {"max_lr_snapshot", 1e-3},
          {"maximize", false},
          {"foreach", kNone},
          {"differentiable", false}};
}

Items adopt() {
  return {{"weight_decay", 0.0},
          {"lr", 1e-3},
          {"betas", Pair{0.9, 0.9999}},
          {"eps", 1e-6},
          {"clip_exp", 0.333},
          {"decoupled", false},
          {"corrected_weight_decay", false},
          {"max_lr_snapshot", 1e-3},
          {"caution", false},
          {"maximize", false},
          {"foreach", kNone},
          {"capturable", false},
          {"differentiable", false}};
}

// ---- names ----

struct Entry {
  std::string_view name;
  OptimizerRule rule;
  std::vector<const char*> flags;  // switched on
};

std::span<const Entry> entries() {
  static const std::vector<Entry> all = {
      {"adamw", kAdamW, {"decoupled_weight_decay"}},
      {"nadamw", kNAdam, {"decoupled_weight_decay"}},
      {"timm/adam", kAdamW, {}},
      {"timm/adamw", kAdamW, {"decoupled_weight_decay"}},
      {"timm/nadam", kNAdam, {}},
      {"timm/nadamw", kTimmNAdamW, {}},
      {"timm/cnadamw", kTimmNAdamW, {"caution"}},
      {"timm/nadamc", kTimmNAdamW, {"corrected_weight_decay"}},
      {"timm/lamb", kLamb, {}},
      {"timm/lambc", kLamb, {"trust_clip"}},
      {"timm/lambw", kLamb, {"decoupled_decay"}},
      {"timm/lambcw", kLamb, {"trust_clip", "decoupled_decay"}},
      {"timm/clamb", kLamb, {"caution"}},
      {"timm/lion", kLion, {}},
      {"timm/clion", kLion, {"caution"}},
      {"timm/lionc", kLion, {"corrected_weight_decay"}},
      {"timm/sgd", kSgd, {"nesterov"}},
      {"timm/momentum", kSgd, {}},
      {"timm/sgdw", kSgdW, {"nesterov"}},
      {"timm/csgdw", kSgdW, {"nesterov", "caution"}},
      {"timm/adopt", kAdopt, {}},
      {"timm/adoptw", kAdopt, {"decoupled"}},
      {"timm/cadopt", kAdopt, {"caution"}},
      {"timm/cadoptw", kAdopt, {"decoupled", "caution"}},
  };
  return all;
}

OptimizerKind kind_of(OptimizerRule rule) {
  const std::vector<std::string> moments = {"exp_avg", "exp_avg_sq"};
  switch (rule) {
    case kAdamW:
      return {rule, {adam(false)}, moments};
    case kNAdam:
      return {rule, {nadam(false)}, moments};
    case kTimmNAdamW:
      return {rule, {timm_nadamw()}, moments};
    case kLamb:
      return {rule, {lamb()}, moments, StepCount::kByGroup};
    case kLion:
      return {rule, {lion()}, {"exp_avg"}, StepCount::kNowhere};
    case kSgd:
      return {rule, {sgd(false)}, {"momentum_buffer"}, StepCount::kNowhere};
    case kSgdW:
      return {rule, {sgdw()}, {"momentum_buffer"}, StepCount::kNowhere};
    case kAdopt:
      return {rule, {adopt()}, moments};
  }
  fail("an optimizer without a rule");
}

const char* kind_name(const OptimizerOption& option) {
  constexpr std::array kNames = {"None", "a bool", "a number", "a number", "a pair of numbers"};
  return kNames.at(option.index());
}

bool is_number(const OptimizerOption& option) {
  return std::holds_alternative<int64_t>(option) || std::holds_alternative<double>(option);
}

}  // namespace

const OptimizerOption* OptimizerOptions::find(std::string_view name) const {
  const auto found = std::find_if(items.begin(), items.end(),
                                  [&](const auto& item) { return item.first == name; });
  return found == items.end() ? nullptr : &found->second;
}

void OptimizerOptions::set(std::string_view name, OptimizerOption value) {
  for (auto& [key, held] : items) {
    if (key != name) continue;
    held = value;
    return;
  }
  items.emplace_back(name, value);
}

double OptimizerOptions::number(std::string_view name) const {
  const OptimizerOption* option = find(name);
  require(option != nullptr && is_number(*option), "the optimizer has no number ", name);
  const auto* integer = std::get_if<int64_t>(option);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(*option);
}

bool OptimizerOptions::flag(std::string_view name) const {
  const OptimizerOption* option = find(name);
  require(option != nullptr && std::holds_alternative<bool>(*option), "the optimizer has no flag ",
          name);
  return std::get<bool>(*option);
}

Pair OptimizerOptions::pair(std::string_view name) const {
  const OptimizerOption* option = find(name);
  require(option != nullptr && std::holds_alternative<Pair>(*option), "the optimizer has no pair ",
          name);
  return std::get<Pair>(*option);
}

bool OptimizerOptions::is_none(std::string_view name) const {
  const OptimizerOption* option = find(name);
  return option == nullptr || std::holds_alternative<std::monostate>(*option);
}

OptimizerKind optimizer_kind(std::string_view opt) {
  std::string name(opt);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Entry& entry : entries()) {
    if (entry.name != name) continue;
    OptimizerKind kind = kind_of(entry.rule);
    for (const char* flag : entry.flags) kind.options.set(flag, true);
    return kind;
  }
  fail("--opt ", opt, " is not among the optimizers here, which are ", optimizer_names());
}

std::string optimizer_names() {
  std::string names;
  for (const Entry& entry : entries()) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

void set_argument(OptimizerKind& kind, std::string_view name, const OptimizerOption& value) {
  // Of how Python computes, without a meaning here.
  if (name == "foreach" || name == "fused") return;
  const OptimizerOption* held = kind.options.find(name);
  if (held == nullptr || name == "max_lr_snapshot") {
    std::string names;
    for (const auto& [key, option] : kind.options.items) {
      if (key != "max_lr_snapshot") names += (names.empty() ? "" : ", ") + key;
    }
    fail("the optimizer has no ", name, "; it has ", names);
  }
  for (const char* other : {"amsgrad", "maximize", "capturable", "differentiable"}) {
    require(name != other || value == OptimizerOption(false), "the optimizer's ", name,
            " is not carried out here");
  }
  // Those whose default is None, or that may be, are numbers otherwise.
  const bool optional =
      name == "clipping_threshold" || name == "max_grad_norm" || name == "clip_exp";
  const bool fits =
      (optional && (is_number(value) || std::holds_alternative<std::monostate>(value))) ||
      (is_number(value) && is_number(*held)) || value.index() == held->index();
  require(fits, "the optimizer's ", name, " is ", optional ? "a number or None" : kind_name(*held),
          ", not ", kind_name(value));
  kind.options.set(name, value);
}

}  // namespace clipnext::model

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
using namespace std::string_literals;

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

// timm asks for a momentum of 0.9 here too, where the constructor has 0.95.
Items muon() {
  return {{"weight_decay", 0.0},
          {"lr", 0.02},
          {"momentum", 0.9},
          {"nesterov", false},
          {"ns_steps", int64_t{5}},
          {"ns_coefficients", "quintic"s},
          {"eps", 1e-7},
          {"safety_factor", 1.0},
          {"adjust_lr_fn", "match_rms_adamw"s},
          {"conv_mode", "flatten"s},
          {"normalize_spatial", true},
          {"fallback_lr_scale", 1.0},
          {"betas", Pair{0.9, 0.95}},
          {"algo", "muon"s},
          {"scale_eps", false},
          {"capturable", false},
          {"verbose", false}};
}

// ---- names ----

struct Entry {
  std::string_view name;
  OptimizerRule rule;
  std::vector<const char*> flags;  // switched on
  const char* algo = nullptr;      // Muon's, if it is not its default
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
      {"timm/muon", kMuon, {}},
      {"timm/nmuon", kMuon, {"nesterov"}},
      {"timm/adamuon", kMuon, {}, "adamuon"},
      {"timm/nadamuon", kMuon, {"nesterov"}, "adamuon"},
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
    case kMuon:
      return {rule, {muon()}, moments};
  }
  fail("an optimizer without a rule");
}

const char* kind_name(const OptimizerOption& option) {
  constexpr std::array kNames = {"None",
                                 "a bool",
                                 "a number",
                                 "a number",
                                 "a pair of numbers",
                                 "a name",
                                 "triples of numbers"};
  return kNames.at(option.index());
}

bool is_number(const OptimizerOption& option) {
  return std::holds_alternative<int64_t>(option) || std::holds_alternative<double>(option);
}

double number_of(const OptimizerOption& option) {
  const auto* integer = std::get_if<int64_t>(&option);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(option);
}

bool same_kind(const OptimizerOption& a, const OptimizerOption& b) {
  return a.index() == b.index() || (is_number(a) && is_number(b));
}

/// An option of each kind that the argument may be.
std::vector<OptimizerOption> kinds_of(std::string_view name, const OptimizerOption& held) {
  if (name == "clipping_threshold" || name == "max_grad_norm" || name == "clip_exp") {
    return {0.0, kNone};
  }
  if (name == "adjust_lr_fn") return {""s, kNone};
  if (name == "ns_coefficients") return {""s, Coefficients()};
  return {held};
}

/// Muon's adamw_lr, from before fallback_lr_scale.
void set_fallback_rate(OptimizerKind& kind, const OptimizerOption& value) {
  if (std::holds_alternative<std::monostate>(value)) return;
  const double lr = kind.options.number("lr");
  require(is_number(value), "the optimizer's adamw_lr is a number, not ", kind_name(value));
  require(lr > 0,
          "the optimizer's adamw_lr is no share of a learning rate of 0: give it as "
          "fallback_lr_scale");
  kind.options.set("fallback_lr_scale", number_of(value) / lr);
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
    held = std::move(value);
    return;
  }
  items.emplace_back(name, std::move(value));
}

double OptimizerOptions::number(std::string_view name) const {
  const OptimizerOption* option = find(name);
  require(option != nullptr && is_number(*option), "the optimizer has no number ", name);
  return number_of(*option);
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

const std::string& OptimizerOptions::text(std::string_view name) const {
  const OptimizerOption* option = find(name);
  require(option != nullptr && std::holds_alternative<std::string>(*option),
          "the optimizer has no name ", name);
  return std::get<std::string>(*option);
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
    if (entry.algo != nullptr) kind.options.set("algo", std::string(entry.algo));
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

std::vector<std::string> state_names(const OptimizerKind& kind, bool by_muon) {
  if (!by_muon) return kind.state;
  if (kind.options.text("algo") == "adamuon") return {"momentum_buffer", "exp_avg_sq"};
  return {"momentum_buffer"};
}

void set_argument(OptimizerKind& kind, std::string_view name, const OptimizerOption& value) {
  // Of how Python computes, without a meaning here.
  if (name == "foreach" || name == "fused") return;
  if (name == "adamw_lr" && kind.rule == kMuon) return set_fallback_rate(kind, value);
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
  std::string wanted;
  bool fits = false;
  for (const OptimizerOption& option : kinds_of(name, *held)) {
    wanted += (wanted.empty() ? "" : " or ") + std::string(kind_name(option));
    fits = fits || same_kind(value, option);
  }
  require(fits, "the optimizer's ", name, " is ", wanted, ", not ", kind_name(value));
  kind.options.set(name, value);
}

}  // namespace clipnext::model

#include "run/optimizer_config.h"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/error.h"
#include "model/muon.h"

namespace clipnext::run {
namespace {

using model::OptimizerOption;

std::optional<double> number_of(const PythonValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value.value)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&value.value)) return *number;
  return std::nullopt;
}

/// Two or three numbers.
template <size_t kCount>
std::optional<std::array<double, kCount>> numbers_of(const PythonValue& value) {
  const auto* sequence = std::get_if<PythonSequence>(&value.value);
  if (sequence == nullptr || sequence->items.size() != kCount) return std::nullopt;
  std::array<double, kCount> numbers;
  for (size_t i = 0; i < kCount; ++i) {
    const auto number = number_of(sequence->items[i]);
    if (!number) return std::nullopt;
    numbers[i] = *number;
  }
  return numbers;
}

/// A triple of numbers, or a sequence of some.
std::optional<model::Coefficients> coefficients_of(const PythonValue& value) {
  if (const auto one = numbers_of<3>(value)) return model::Coefficients{*one};
  const auto* sequence = std::get_if<PythonSequence>(&value.value);
  if (sequence == nullptr || sequence->items.empty()) return std::nullopt;
  model::Coefficients steps;
  for (const PythonValue& item : sequence->items) {
    const auto step = numbers_of<3>(item);
    if (!step) return std::nullopt;
    steps.push_back(*step);
  }
  return steps;
}

OptimizerOption option_of(const std::string& name, const PythonValue& value) {
  if (std::holds_alternative<std::monostate>(value.value)) return std::monostate();
  if (const auto* flag = std::get_if<bool>(&value.value)) return *flag;
  if (const auto* whole = std::get_if<int64_t>(&value.value)) return *whole;
  if (const auto* number = std::get_if<double>(&value.value)) return *number;
  if (const auto* text = std::get_if<std::string>(&value.value)) return *text;
  if (const auto pair = numbers_of<2>(value)) return *pair;
  if (auto coefficients = coefficients_of(value)) return std::move(*coefficients);
  fail("--opt-kwargs ", name, "=", python_repr(value),
       ": a number, True, False, None, a name, or a pair or triples of numbers are wanted");
}

void set(model::OptimizerKind& kind, const char* name, const std::optional<double>& value) {
  if (value && kind.options.find(name) != nullptr) kind.options.set(name, *value);
}

}  // namespace

bool is_timm_optimizer(const TrainOptions& options) {
  return options.opt.find("timm") != std::string::npos;
}

model::OptimizerKind optimizer_config(const TrainOptions& options) {
  model::OptimizerKind kind = model::optimizer_kind(options.opt);
  require(options.lr.has_value(), "--opt ", options.opt,
          ": the optimizers of timm need --lr, for none follows from the model");
  set(kind, "lr", options.lr);
  set(kind, "max_lr_snapshot", options.lr);
  set(kind, "eps", options.eps);
  // Of those that have none, the reference passes over them.
  if (options.beta1 && options.beta2 && kind.options.find("betas") != nullptr) {
    kind.options.set("betas", std::array{*options.beta1, *options.beta2});
  }
  if (options.momentum && is_timm_optimizer(options)) {
    model::set_argument(kind, "momentum", *options.momentum);
  }
  for (const auto& [name, value] : options.opt_kwargs) {
    require(name != "lr" && name != "weight_decay", "--opt-kwargs ", name, ": that is --",
            name == "lr" ? "lr" : "wd");
    require(name != "fallback_list", "--opt-kwargs fallback_list: that is --opt-fallback-list");
    model::set_argument(kind, name, option_of(name, value));
  }
  const bool is_muon = kind.rule == model::OptimizerRule::kMuon;
  if (is_muon) model::check_muon(kind.options);
  require(is_muon || options.opt_fallback_list.empty(), "--opt-fallback-list: --opt ", options.opt,
          " leaves no parameters to another optimizer; those that do are timm/muon, timm/nmuon, "
          "timm/adamuon and timm/nadamuon");
  return kind;
}

}  // namespace clipnext::run

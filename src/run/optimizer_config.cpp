#include "run/optimizer_config.h"

#include <array>
#include <optional>
#include <string>
#include <variant>

#include "base/error.h"

namespace clipnext::run {
namespace {

using model::OptimizerOption;

std::optional<double> number_of(const PythonValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value.value)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&value.value)) return *number;
  return std::nullopt;
}

OptimizerOption option_of(const std::string& name, const PythonValue& value) {
  if (std::holds_alternative<std::monostate>(value.value)) return std::monostate();
  if (const auto* flag = std::get_if<bool>(&value.value)) return *flag;
  if (const auto* whole = std::get_if<int64_t>(&value.value)) return *whole;
  if (const auto* number = std::get_if<double>(&value.value)) return *number;
  if (const auto* sequence = std::get_if<PythonSequence>(&value.value)) {
    if (sequence->items.size() == 2) {
      const auto first = number_of(sequence->items[0]), second = number_of(sequence->items[1]);
      if (first && second) return std::array{*first, *second};
    }
  }
  fail("--opt-kwargs ", name, "=", python_repr(value),
       ": a number, True, False, None or a pair of numbers is wanted");
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
    model::set_argument(kind, name, option_of(name, value));
  }
  return kind;
}

}  // namespace clipnext::run

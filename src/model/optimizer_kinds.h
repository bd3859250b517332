// The optimizers there are, as PyTorch 2.15 and timm 1.0.31 have them: what `--opt` calls them,
// their options, and what they remember.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace clipnext::model {

/// Of each step of Muon's iteration the factors of x, x^3 and x^5.
using Coefficients = std::vector<std::array<double, 3>>;

/// None, a bool, a number, a pair (betas), a name, or coefficients.
using OptimizerOption = std::variant<std::monostate, bool, int64_t, double, std::array<double, 2>,
                                     std::string, Coefficients>;

/// Options of an optimizer's group by their Python names, in the order of its state_dict.
struct OptimizerOptions {
  std::vector<std::pair<std::string, OptimizerOption>> items;

  /// Null if there is none of that name.
  const OptimizerOption* find(std::string_view name) const;
  /// Replaces the value, or appends one.
  void set(std::string_view name, OptimizerOption value);
  /// Throw Error if there is none of that name and kind; an int is a number too.
  double number(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::array<double, 2> pair(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  bool is_none(std::string_view name) const;

  bool operator==(const OptimizerOptions&) const = default;
};

/// Where an optimizer's state_dict counts updates.
enum class StepCount : uint8_t { kByParameter, kByGroup, kNowhere };

enum class OptimizerRule : uint8_t {
  kAdamW,       // torch.optim.AdamW, and Adam without decoupled_weight_decay
  kNAdam,       // torch.optim.NAdam (Dozat 2016)
  kTimmNAdamW,  // timm.optim.NAdamW (arXiv:1910.05446)
  kLamb,        // timm.optim.Lamb (arXiv:1904.00962)
  kLion,        // timm.optim.Lion (arXiv:2302.06675)
  kSgd,         // torch.optim.SGD
  kSgdW,        // timm.optim.SGDW
  kAdopt,       // timm.optim.Adopt (arXiv:2411.02853)
  kMuon         // timm.optim.Muon, and AdaMuon (arXiv:2507.11005)
};

struct OptimizerKind {
  OptimizerRule rule = OptimizerRule::kAdamW;
  OptimizerOptions options;        // weight_decay first, as in groups that set it; no `params`
  std::vector<std::string> state;  // tensors of a parameter's shape; Muon's: of those left to AdamW
  StepCount steps = StepCount::kByParameter;
};

/// Of `adamw`, `nadamw`, or timm's `timm/NAME`, whatever the case. Throws Error that lists those
/// there are.
OptimizerKind optimizer_kind(std::string_view opt);

/// All of them, for messages: "adamw, nadamw, timm/adam, ...".
std::string optimizer_names();

/// Tensors that are remembered of a parameter, by their names in the state_dict. `by_muon`: of one
/// that Muon does not leave to AdamW.
std::vector<std::string> state_names(const OptimizerKind& kind, bool by_muon);

/// Sets an option as a keyword argument of the constructor does. Throws Error for a name that the
/// optimizer does not have (it lists those it has), a value of another kind, and what is known but
/// not carried out (amsgrad, maximize, capturable, differentiable).
void set_argument(OptimizerKind& kind, std::string_view name, const OptimizerOption& value);

}  // namespace clipnext::model

#include "model/training_state.h"

#include <set>

#include "base/error.h"
#include "model/param_order.h"

namespace clipnext::model {
namespace {

using weights::Tensor;

constexpr size_t kMaxListed = 20;

// What is wrong with a state, found one by one, reported together.
class Findings {
 public:
  explicit Findings(const ClipConfig& config) {
    for (const ParamInfo& info : list_params(config)) {
      shapes_[info.name] = info.shape;
      if (info.role != Role::kStatistic) params_.insert(info.name);
    }
  }

  void add(const std::string& problem) {
    if (++count_ <= kMaxListed) list_ += "\n  " + problem;
  }

  void check_all(const weights::TensorMap& tensors, const std::string& kind) {
    for (const auto& [name, shape] : shapes_) {
      if (!tensors.contains(name)) add(kind + name + " is missing");
    }
    for (const auto& [name, tensor] : tensors) check(name, tensor, kind + name);
  }

  void check(const std::string& name, const Tensor& tensor, const std::string& shown) {
    const auto found = shapes_.find(name);
    if (found == shapes_.end()) return add(shown + " is not the model's");
    if (tensor.shape != found->second) {
      add(shown + " is " + weights::format_shape(tensor.shape) + ", expected " +
          weights::format_shape(found->second));
    } else if (!weights::is_float(tensor.dtype)) {
      add(shown + " is " + std::string(weights::dtype_name(tensor.dtype)) +
          ", expected a float type");
    }
  }

  void check_optimizer(const OptimizerState& optimizer) {
    std::set<std::string> grouped;
    for (const OptimizerGroup& group : optimizer.groups) {
      for (const std::string& name : group.params) {
        if (!params_.contains(name)) add("the optimizer's " + name + " is not a parameter");
        if (!grouped.insert(name).second) add("the optimizer has " + name + " twice");
      }
    }
    for (const auto& [name, moments] : optimizer.moments) {
      if (!grouped.contains(name)) add("the optimizer's state of " + name + " is in no group");
      for (const auto& [kind, tensor] : moments.tensors) {
        std::string label = kind;
        check(name, tensor, label.append(" of ").append(name));
      }
      if (moments.step < 0) add("the step of " + name + " is below 0");
    }
  }

  void raise(const std::string& source, const std::string& model) const {
    if (count_ == 0) return;
    const size_t more = count_ - std::min(count_, kMaxListed);
    fail(source, ": does not fit the model ", model, "; wrong --model?", list_,
         more > 0 ? "\n  and " + std::to_string(more) + " more" : "");
  }

 private:
  std::map<std::string, weights::Shape, std::less<>> shapes_;
  std::set<std::string> params_;
  std::string list_;
  size_t count_ = 0;
};

}  // namespace

void check_training_state(const TrainingState& state, const ClipConfig& config,
                          const std::string& source) {
  Findings findings(config);
  findings.check_all(state.weights, "");
  if (!state.ema.empty()) findings.check_all(state.ema, "average of ");
  if (state.optimizer) findings.check_optimizer(*state.optimizer);
  findings.raise(source, config.name);
}

}  // namespace clipnext::model

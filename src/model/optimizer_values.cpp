#include "model/optimizer_values.h"

#include <array>
#include <cmath>

#include "base/error.h"
#include "model/param_order.h"

namespace clipnext::model {
namespace {

using weights::Tensor;
using weights::TorchValue;
using Kind = TorchValue::Kind;
using Names = std::vector<std::string>;

// ---- to torch ----

TorchValue moments_to_torch(const Moments& moments) {
  const auto step = static_cast<float>(moments.step);
  TorchValue state = weights::torch_dict();
  state.add("step", weights::torch_tensor(weights::make_tensor({}, std::array{step})));
  state.add("exp_avg", weights::torch_tensor(moments.exp_avg));
  state.add("exp_avg_sq", weights::torch_tensor(moments.exp_avg_sq));
  return state;
}

// The keys of torch.optim.AdamW's groups in PyTorch 2.15, those without a meaning here at their
// defaults.
TorchValue group_to_torch(const OptimizerGroup& group, int64_t first) {
  TorchValue value = weights::torch_dict();
  value.add("weight_decay", weights::torch_float(group.weight_decay));
  value.add("lr", weights::torch_float(group.lr));
  value.add("betas", weights::torch_tuple(
                         {weights::torch_float(group.beta1), weights::torch_float(group.beta2)}));
  value.add("eps", weights::torch_float(group.eps));
  value.add("amsgrad", weights::torch_bool(false));
  value.add("maximize", weights::torch_bool(false));
  value.add("foreach", {});
  value.add("capturable", weights::torch_bool(false));
  value.add("differentiable", weights::torch_bool(false));
  value.add("fused", {});
  value.add("decoupled_weight_decay", weights::torch_bool(true));
  TorchValue numbers = weights::torch_list();
  for (size_t i = 0; i < group.params.size(); ++i) {
    numbers.add(weights::torch_int(first + static_cast<int64_t>(i)));
  }
  value.add("params", std::move(numbers));
  return value;
}

// ---- from torch ----

const TorchValue& member(const TorchValue& dict, const char* key, Kind kind,
                         const std::string& what) {
  const TorchValue* value = dict.find(key);
  require(value != nullptr, what, ": has no \"", key, "\"");
  require(value->is(kind), what, ": \"", key, "\" is ", weights::kind_name(value->kind),
          ", expected ", weights::kind_name(kind));
  return *value;
}

double number_of(const TorchValue& value, const std::string& what) {
  if (value.is(Kind::kFloat)) return value.number;
  if (value.is(Kind::kInt)) return static_cast<double>(value.integer);
  const bool scalar = value.is(Kind::kTensor) && value.tensor.numel() == 1;
  require(scalar, what, " is ", weights::kind_name(value.kind), ", expected a number");
  float number = 0;
  weights::copy_as_f32(value.tensor, &number);
  return number;
}

double number_of(const TorchValue& dict, const char* key, const std::string& what) {
  const TorchValue* value = dict.find(key);
  require(value != nullptr, what, ": has no \"", key, "\"");
  return number_of(*value, what + ": \"" + key + "\"");
}

void refuse_option(const TorchValue& group, const char* key, const std::string& what) {
  const TorchValue* value = group.find(key);
  require(value == nullptr || !value->is(Kind::kBool) || value->integer == 0, what, ": ", key,
          " is on, which this trainer's AdamW does not have");
}

// A group's options; its parameters' numbers go to `numbers`.
OptimizerGroup group_from_torch(const TorchValue& value, const std::string& what,
                                std::vector<int64_t>& numbers) {
  require(value.is(Kind::kDict), what, ": is ", weights::kind_name(value.kind),
          ", expected a dict");
  OptimizerGroup group;
  group.lr = number_of(value, "lr", what);
  const TorchValue& betas = member(value, "betas", Kind::kTuple, what);
  require(betas.items.size() == 2, what, ": \"betas\" is not a pair");
  group.beta1 = number_of(betas.items[0], what + ": beta1");
  group.beta2 = number_of(betas.items[1], what + ": beta2");
  group.eps = number_of(value, "eps", what);
  group.weight_decay = number_of(value, "weight_decay", what);
  refuse_option(value, "amsgrad", what);
  refuse_option(value, "maximize", what);
  for (const TorchValue& number : member(value, "params", Kind::kList, what).items) {
    require(number.is(Kind::kInt), what, ": a parameter's number is ",
            weights::kind_name(number.kind));
    numbers.push_back(number.integer);
  }
  return group;
}

Moments moments_from_torch(const TorchValue& value, const std::string& what) {
  require(value.is(Kind::kDict), what, ": is ", weights::kind_name(value.kind),
          ", expected a dict");
  require(
      value.find("exp_avg") != nullptr && value.find("exp_avg_sq") != nullptr, what,
      ": has no \"exp_avg\" and \"exp_avg_sq\": the optimizer was not AdamW; resume without its "
      "state by taking the weights alone (--pretrained)");
  Moments moments;
  moments.exp_avg = member(value, "exp_avg", Kind::kTensor, what).tensor;
  moments.exp_avg_sq = member(value, "exp_avg_sq", Kind::kTensor, what).tensor;
  const double step = number_of(value, "step", what);
  require(step >= 0 && step <= 9e15 && step == std::floor(step), what, ": step ", step,
          " is not a number of steps");
  moments.step = static_cast<int64_t>(step);
  return moments;
}

Names names_of(const std::vector<ParamInfo>& params) {
  Names names;
  for (const ParamInfo& info : params) names.push_back(info.name);
  return names;
}

struct Grouping {
  std::string title;
  std::vector<Names> groups;
};

std::vector<Grouping> possible_groupings(const ClipConfig& config, const Locking& locking) {
  std::vector<Grouping> groupings;
  const auto add = [&](const Locking& with, const std::string& suffix) {
    const auto params = trained_params(config, with);
    const auto by_name = decay_groups(config, params, DecayRule::kByName);
    const auto by_model = decay_groups(config, params, DecayRule::kByModel);
    groupings.push_back({"groups by name" + suffix, {names_of(by_name[0]), names_of(by_name[1])}});
    groupings.push_back(
        {"groups by model" + suffix, {names_of(by_model[0]), names_of(by_model[1])}});
    groupings.push_back({"one group" + suffix, {names_of(params)}});
  };
  const bool locked = locking.image || locking.text;
  if (locked) add(locking, ", towers locked as asked for");
  add({}, locked ? ", nothing locked" : "");
  return groupings;
}

// The file's own account: numbers by group, and moments by number.
struct Numbered {
  std::vector<std::vector<int64_t>> groups;
  std::map<int64_t, Moments> moments;
};

bool same_shape(const Tensor& tensor, const weights::Shape& shape) {
  return tensor.shape == shape || (shape.empty() && tensor.numel() == 1);
}

// Why a grouping does not fit the file; empty if it does.
std::string misfit(const Grouping& grouping, const Numbered& file,
                   const std::map<std::string, weights::Shape>& shapes) {
  const auto sizes = [](const auto& groups) {
    std::string text;
    for (const auto& group : groups) {
      text += (text.empty() ? "" : " + ") + std::to_string(group.size());
    }
    return text;
  };
  const std::string expected = sizes(grouping.groups);
  if (expected != sizes(file.groups)) return "would be " + expected + " parameters";
  for (size_t g = 0; g < file.groups.size(); ++g) {
    for (size_t i = 0; i < file.groups[g].size(); ++i) {
      const auto found = file.moments.find(file.groups[g][i]);
      if (found == file.moments.end()) continue;
      const std::string& name = grouping.groups[g][i];
      const weights::Shape& shape = shapes.at(name);
      const Moments& moments = found->second;
      if (same_shape(moments.exp_avg, shape) && same_shape(moments.exp_avg_sq, shape)) continue;
      return "number " + std::to_string(file.groups[g][i]) + " would be " + name + " " +
             weights::format_shape(shape) + ", but its state is " +
             weights::format_shape(moments.exp_avg.shape);
    }
  }
  return "";
}

Numbered read_numbered(const TorchValue& value, const std::string& what,
                       std::vector<OptimizerGroup>& groups) {
  require(value.is(Kind::kDict), what, ": is ", weights::kind_name(value.kind),
          ", expected a dict");
  Numbered file;
  for (const TorchValue& group : member(value, "param_groups", Kind::kList, what).items) {
    const std::string at = what + ".param_groups." + std::to_string(groups.size());
    groups.push_back(group_from_torch(group, at, file.groups.emplace_back()));
  }
  const TorchValue& states = member(value, "state", Kind::kDict, what);
  for (size_t i = 0; i < states.items.size(); ++i) {
    const auto* number = std::get_if<int64_t>(&states.keys[i]);
    require(number != nullptr, what, ": a key of \"state\" is not a number");
    if (states.items[i].items.empty()) continue;  // no gradient yet
    file.moments[*number] =
        moments_from_torch(states.items[i], what + ".state." + std::to_string(*number));
  }
  return file;
}

}  // namespace

TorchValue optimizer_to_torch(const OptimizerState& optimizer) {
  TorchValue states = weights::torch_dict();
  TorchValue groups = weights::torch_list();
  int64_t number = 0;
  for (const OptimizerGroup& group : optimizer.groups) {
    groups.add(group_to_torch(group, number));
    for (const std::string& name : group.params) {
      const auto found = optimizer.moments.find(name);
      if (found != optimizer.moments.end()) {
        states.add(number, moments_to_torch(found->second));
      }
      ++number;
    }
  }
  TorchValue value = weights::torch_dict();
  value.add("state", std::move(states));
  value.add("param_groups", std::move(groups));
  return value;
}

OptimizerState optimizer_from_torch(const TorchValue& value, const ClipConfig& config,
                                    const Locking& locking, const std::string& what) {
  OptimizerState optimizer;
  const Numbered file = read_numbered(value, what, optimizer.groups);
  std::map<std::string, weights::Shape> shapes;
  for (const ParamInfo& info : ordered_params(config)) shapes[info.name] = info.shape;

  std::string misfits;
  for (const Grouping& grouping : possible_groupings(config, locking)) {
    const std::string reason = misfit(grouping, file, shapes);
    if (!reason.empty()) {
      misfits += "\n  " + grouping.title + ": " + reason;
      continue;
    }
    for (size_t g = 0; g < grouping.groups.size(); ++g) {
      optimizer.groups[g].params = grouping.groups[g];
      for (size_t i = 0; i < file.groups[g].size(); ++i) {
        const std::string& name = grouping.groups[g][i];
        const auto found = file.moments.find(file.groups[g][i]);
        if (found == file.moments.end()) continue;
        Moments moments = found->second;
        moments.exp_avg.shape = moments.exp_avg_sq.shape = shapes.at(name);
        optimizer.moments[name] = std::move(moments);
      }
    }
    return optimizer;
  }
  std::string sizes;
  for (const auto& group : file.groups) sizes += " " + std::to_string(group.size());
  fail(what, ": its groups of", sizes, " parameters are not those of the model ", config.name,
       "; wrong --model, or other --lock options than it was trained with?", misfits);
}

}  // namespace clipnext::model

#include "model/optimizer_values.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>
#include <sstream>
#include <variant>

#include "base/error.h"
#include "model/param_order.h"

namespace clipnext::model {
namespace {

using weights::Tensor;
using weights::TorchValue;
using Kind = TorchValue::Kind;

constexpr const char* kMomentum = "momentum_buffer";

// ---- to torch ----

TorchValue scalar_to_torch(double number) {
  return weights::torch_tensor(weights::make_tensor({}, std::array{static_cast<float>(number)}));
}

TorchValue moments_to_torch(const Moments& moments, StepCount steps) {
  TorchValue state = weights::torch_dict();
  if (moments.use_muon) state.add("use_muon", weights::torch_bool(*moments.use_muon));
  // Before the steps that AdaMuon counts; Muon counts those alone that it leaves to its AdamW.
  const auto momentum = moments.tensors.find(kMomentum);
  if (momentum != moments.tensors.end()) {
    state.add(kMomentum, weights::torch_tensor(momentum->second));
  }
  const bool counts = !moments.use_muon.value_or(false) || moments.tensors.contains("exp_avg_sq");
  if (steps == StepCount::kByParameter && counts) {
    state.add("step", scalar_to_torch(static_cast<double>(moments.step)));
  }
  if (moments.mu_product) state.add("mu_product", scalar_to_torch(*moments.mu_product));
  for (const auto& [kind, tensor] : moments.tensors) {
    if (kind != kMomentum) state.add(kind, weights::torch_tensor(tensor));
  }
  return state;
}

TorchValue coefficients_to_torch(const Coefficients& coefficients) {
  TorchValue list = weights::torch_list();
  for (const auto& [a, b, c] : coefficients) {
    list.add(weights::torch_tuple(
        {weights::torch_float(a), weights::torch_float(b), weights::torch_float(c)}));
  }
  return list;
}

TorchValue option_to_torch(const OptimizerOption& option) {
  if (const auto* flag = std::get_if<bool>(&option)) return weights::torch_bool(*flag);
  if (const auto* integer = std::get_if<int64_t>(&option)) return weights::torch_int(*integer);
  if (const auto* number = std::get_if<double>(&option)) return weights::torch_float(*number);
  if (const auto* pair = std::get_if<std::array<double, 2>>(&option)) {
    return weights::torch_tuple(
        {weights::torch_float((*pair)[0]), weights::torch_float((*pair)[1])});
  }
  if (const auto* text = std::get_if<std::string>(&option)) return weights::torch_text(*text);
  if (const auto* coefficients = std::get_if<Coefficients>(&option)) {
    return coefficients_to_torch(*coefficients);
  }
  return {};
}

TorchValue group_to_torch(const OptimizerGroup& group, const OptimizerState& optimizer,
                          int64_t first) {
  TorchValue value = weights::torch_dict();
  for (const auto& [name, option] : group.options.items) value.add(name, option_to_torch(option));
  if (optimizer.steps == StepCount::kByGroup) {
    int64_t step = 0;
    for (const std::string& name : group.params) {
      const auto found = optimizer.moments.find(name);
      if (found != optimizer.moments.end()) step = std::max(step, found->second.step);
    }
    if (step > 0) value.add("step", scalar_to_torch(static_cast<double>(step)));
  }
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

void refuse_option(const TorchValue& group, const char* key, const std::string& what) {
  const TorchValue* value = group.find(key);
  require(value == nullptr || !value->is(Kind::kBool) || value->integer == 0, what, ": ", key,
          " is on, which this trainer's optimizers do not have");
}

bool is_sequence(const TorchValue& value) {
  return value.is(Kind::kList) || value.is(Kind::kTuple);
}

bool is_triple(const TorchValue& value) {
  return is_sequence(value) && value.items.size() == 3 &&
         std::all_of(value.items.begin(), value.items.end(), [](const TorchValue& item) {
           return item.is(Kind::kFloat) || item.is(Kind::kInt);
         });
}

// Muon's, a triple or several; None for other sequences.
OptimizerOption coefficients_from_torch(const TorchValue& value, const std::string& what) {
  const std::span<const TorchValue> triples =
      is_triple(value) ? std::span(&value, 1) : std::span<const TorchValue>(value.items);
  if (triples.empty() || !std::all_of(triples.begin(), triples.end(), is_triple)) {
    return std::monostate();
  }
  Coefficients coefficients;
  for (const TorchValue& triple : triples) {
    auto& step = coefficients.emplace_back();
    for (size_t i = 0; i < step.size(); ++i) step[i] = number_of(triple.items[i], what);
  }
  return coefficients;
}

// None also for what no optimizer here has, such as dicts.
OptimizerOption option_from_torch(const TorchValue& value, const std::string& what) {
  switch (value.kind) {
    case Kind::kBool:
      return value.integer != 0;
    case Kind::kInt:
      return value.integer;
    case Kind::kFloat:
      return value.number;
    case Kind::kTensor:
      return number_of(value, what);
    case Kind::kText:
      return value.text;
    case Kind::kTuple:
      if (value.items.size() != 2 || is_triple(value.items[0])) {
        return coefficients_from_torch(value, what);
      }
      return std::array{number_of(value.items[0], what), number_of(value.items[1], what)};
    case Kind::kList:
      return coefficients_from_torch(value, what);
    default:
      return std::monostate();
  }
}

// A count of steps, also where it is a scalar tensor.
int64_t steps_of(const TorchValue& value, const std::string& what) {
  const double step = number_of(value, what + ": \"step\"");
  require(step >= 0 && step <= 9e15 && step == std::floor(step), what, ": step ", step,
          " is not a number of steps");
  return static_cast<int64_t>(step);
}

// The file's own account: numbers by group, and moments by number.
struct Numbered {
  std::vector<std::vector<int64_t>> groups;
  std::vector<int64_t> group_steps;
  std::map<int64_t, Moments> moments;
  StepCount steps = StepCount::kNowhere;
};

// A group's options; its parameters' numbers and steps go to `file`.
OptimizerGroup group_from_torch(const TorchValue& value, const std::string& what, Numbered& file) {
  require(value.is(Kind::kDict), what, ": is ", weights::kind_name(value.kind),
          ", expected a dict");
  OptimizerGroup group;
  std::vector<int64_t>& numbers = file.groups.emplace_back();
  int64_t& steps = file.group_steps.emplace_back(0);
  for (size_t i = 0; i < value.items.size(); ++i) {
    const auto* name = std::get_if<std::string>(&value.keys[i]);
    if (name == nullptr || *name == "params") continue;
    if (*name == "step") {
      steps = steps_of(value.items[i], what);
      file.steps = StepCount::kByGroup;
      continue;
    }
    const std::string where = what + ": \"" + *name + "\"";
    if (*name == "lr" || *name == "weight_decay") {
      group.options.set(*name, number_of(value.items[i], where));
    } else {
      group.options.set(*name, option_from_torch(value.items[i], where));
    }
  }
  for (const char* key : {"lr", "weight_decay"}) {
    require(group.options.find(key) != nullptr, what, ": has no \"", key, "\"");
  }
  refuse_option(value, "amsgrad", what);
  refuse_option(value, "maximize", what);
  for (const TorchValue& number : member(value, "params", Kind::kList, what).items) {
    require(number.is(Kind::kInt), what, ": a parameter's number is ",
            weights::kind_name(number.kind));
    numbers.push_back(number.integer);
  }
  return group;
}

Moments moments_from_torch(const TorchValue& value, const std::string& what, Numbered& file) {
  require(value.is(Kind::kDict), what, ": is ", weights::kind_name(value.kind),
          ", expected a dict");
  Moments moments;
  for (size_t i = 0; i < value.items.size(); ++i) {
    const auto* name = std::get_if<std::string>(&value.keys[i]);
    require(name != nullptr, what, ": a key is not a text");
    const TorchValue& item = value.items[i];
    if (*name == "step") {
      moments.step = steps_of(item, what);
      file.steps = StepCount::kByParameter;
    } else if (*name == "mu_product") {
      moments.mu_product = number_of(item, what + ": \"mu_product\"");
    } else if (*name == "use_muon") {
      require(item.is(Kind::kBool), what, ": \"use_muon\" is ", weights::kind_name(item.kind),
              ", expected a bool");
      moments.use_muon = item.integer != 0;
    } else if (!item.is(Kind::kNone)) {
      require(item.is(Kind::kTensor), what, ": \"", *name, "\" is ", weights::kind_name(item.kind),
              ", expected a tensor");
      moments.tensors[*name] = item.tensor;
    }
  }
  return moments;
}

std::vector<std::string> names_of(const std::vector<ParamInfo>& params) {
  std::vector<std::string> names;
  names.reserve(params.size());
  for (const ParamInfo& info : params) names.push_back(info.name);
  return names;
}

struct Grouping {
  std::string title;
  ParamGroups groups;
};

std::vector<ParamInfo> params_in(const ParamGroups& groups, const ClipConfig& config) {
  std::set<std::string> names;
  for (const auto& group : groups) names.insert(group.begin(), group.end());
  std::vector<ParamInfo> params = ordered_params(config);
  std::erase_if(params, [&](const ParamInfo& info) { return !names.contains(info.name); });
  return params;
}

std::vector<Grouping> possible_groupings(const ClipConfig& config, const ParamGroups& own) {
  std::vector<Grouping> groupings;
  const auto add = [&](const std::string& title, const ParamGroups& groups) {
    const bool known = std::any_of(groupings.begin(), groupings.end(),
                                   [&](const Grouping& other) { return other.groups == groups; });
    if (!known) groupings.push_back({title, groups});
  };
  const auto add_rules = [&](const std::vector<ParamInfo>& params, const std::string& of) {
    const auto by_name = decay_groups(config, params, DecayRule::kByName);
    const auto by_model = decay_groups(config, params, DecayRule::kByModel);
    add("groups by name" + of, {names_of(by_name[0]), names_of(by_name[1])});
    add("groups by model" + of, {names_of(by_model[0]), names_of(by_model[1])});
    add("one group" + of, {names_of(params)});
  };
  if (!own.empty()) {
    add("the groups of this run", own);
    add_rules(params_in(own, config), " of what this run trains");
  }
  add_rules(ordered_params(config), " of all parameters");
  return groupings;
}

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
      for (const auto& [kind, tensor] : found->second.tensors) {
        if (same_shape(tensor, shape)) continue;
        std::ostringstream reason;
        reason << "number " << file.groups[g][i] << " would be " << name << " "
               << weights::format_shape(shape) << ", but its " << kind << " is "
               << weights::format_shape(tensor.shape);
        return reason.str();
      }
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
    groups.push_back(group_from_torch(group, at, file));
  }
  const TorchValue& states = member(value, "state", Kind::kDict, what);
  for (size_t i = 0; i < states.items.size(); ++i) {
    const auto* number = std::get_if<int64_t>(&states.keys[i]);
    require(number != nullptr, what, ": a key of \"state\" is not a number");
    if (states.items[i].items.empty()) continue;  // no gradient yet
    file.moments[*number] =
        moments_from_torch(states.items[i], what + ".state." + std::to_string(*number), file);
  }
  return file;
}

}  // namespace

TorchValue optimizer_to_torch(const OptimizerState& optimizer) {
  TorchValue states = weights::torch_dict();
  TorchValue groups = weights::torch_list();
  int64_t number = 0;
  for (const OptimizerGroup& group : optimizer.groups) {
    groups.add(group_to_torch(group, optimizer, number));
    for (const std::string& name : group.params) {
      const auto found = optimizer.moments.find(name);
      if (found != optimizer.moments.end()) {
        states.add(number, moments_to_torch(found->second, optimizer.steps));
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
                                    const ParamGroups& own, const std::string& what) {
  OptimizerState optimizer;
  const Numbered file = read_numbered(value, what, optimizer.groups);
  optimizer.steps = file.steps;
  std::map<std::string, weights::Shape> shapes;
  for (const ParamInfo& info : ordered_params(config)) shapes[info.name] = info.shape;

  std::string misfits;
  for (const Grouping& grouping : possible_groupings(config, own)) {
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
        for (auto& [kind, tensor] : moments.tensors) tensor.shape = shapes.at(name);
        if (file.steps == StepCount::kByGroup) moments.step = file.group_steps[g];
        optimizer.moments[name] = std::move(moments);
      }
    }
    return optimizer;
  }
  std::string sizes;
  for (const auto& group : file.groups) sizes += " " + std::to_string(group.size());
  fail(what, ": its groups of", sizes, " parameters are not those of the model ", config.name,
       "; wrong --model, or another --lock-..., --...-layer-decay, --wd-exclude or "
       "--opt-fallback-list than it was trained with?",
       misfits);
}

}  // namespace clipnext::model

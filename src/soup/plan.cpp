#include "soup/plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "model/bind.h"
#include "model/param_order.h"

namespace clipnext::soup {
namespace {

using weights::DType;
using weights::Tensor;

bool is_counter(std::string_view name) { return name.ends_with("num_batches_tracked"); }

// The narrowest type that holds every value of both.
DType wider(DType a, DType b) {
  if (a == b) return a;
  const bool both_16 = weights::dtype_size(a) == 2 && weights::dtype_size(b) == 2;
  if (both_16) return DType::kF32;
  return weights::dtype_size(a) > weights::dtype_size(b) ? a : b;
}

DType widest(const std::vector<Tensor>& sources) {
  DType type = sources[0].dtype;
  for (const Tensor& source : sources) type = wider(type, source.dtype);
  return type;
}

double value_of(const Tensor& scalar) {
  const Tensor wide = weights::convert(scalar, DType::kF64);
  double value = 0;
  std::memcpy(&value, wide.data.data(), sizeof value);
  return value;
}

Tensor scalar_of(double value, const weights::Shape& shape, DType dtype) {
  weights::NewTensor made = weights::allocate_tensor(DType::kF64, shape);
  std::memcpy(made.bytes.data(), &value, sizeof value);
  return weights::convert(made.tensor, dtype);
}

// ---- integers and booleans ----

bool same_values(const Tensor& a, const Tensor& b) {
  const Tensor wide_a = weights::convert(a, DType::kI64);
  const Tensor wide_b = weights::convert(b, DType::kI64);
  return std::equal(wide_a.data.begin(), wide_a.data.end(), wide_b.data.begin(), wide_b.data.end());
}

int64_t sum_of(const Tensor& tensor) {
  const Tensor wide = weights::convert(tensor, DType::kI64);
  int64_t sum = 0;
  for (size_t i = 0; i < static_cast<size_t>(tensor.numel()); ++i) {
    int64_t value = 0;
    std::memcpy(&value, wide.data.data() + i * sizeof value, sizeof value);
    sum += value;
  }
  return sum;
}

Tensor copied_integers(std::span<const Ingredient> ingredients, const PlannedTensor& planned) {
  const Tensor* chosen = &planned.sources[0];
  for (size_t i = 1; i < planned.sources.size(); ++i) {
    const Tensor& other = planned.sources[i];
    if (same_values(*chosen, other)) continue;
    require(is_counter(planned.name) && chosen->numel() == 1, ingredients[i].given, ": tensor ",
            planned.name, " (", weights::dtype_name(other.dtype), ") has other values than ",
            ingredients[0].given,
            "'s, and whole numbers have no mean; leave it as in the first: ", "--exclude '",
            planned.name, "'");
    if (sum_of(other) > sum_of(*chosen)) chosen = &other;
  }
  return *chosen;
}

/// Makes a Plan, tensor by tensor.
class Planner {
 public:
  Planner(std::span<const Ingredient> ingredients, const Options& options,
          const model::ClipConfig* config)
      : ingredients_(ingredients), options_(options), config_(config) {
    plan_.accumulate = options.accumulate;
    plan_.uniform = options.weights.empty();
    const size_t n = ingredients.size();
    require(plan_.uniform || options.weights.size() == n, "there are ", options.weights.size(),
            " weights for ", n, " ingredients");
    plan_.weights =
        plan_.uniform ? std::vector<double>(n, 1.0 / static_cast<double>(n)) : options.weights;
  }

  Plan make() {
    for (const auto& [name, tensor] : ingredients_[0].tensors) {
      if (!is_left_out(name)) add(name, tensor);
    }
    std::stable_sort(plan_.tensors.begin(), plan_.tensors.end(),
                     [](const PlannedTensor& a, const PlannedTensor& b) {
                       return weights::dtype_size(a.dtype) > weights::dtype_size(b.dtype);
                     });
    return std::move(plan_);
  }

 private:
  void add(const std::string& name, const Tensor& first) {
    PlannedTensor planned{
        .name = name, .output_name = output_name(name), .dtype = first.dtype, .shape = first.shape};
    const bool averages = options_.selection.averages(name);
    if (!averages) {
      planned.sources.push_back(first);
    } else {
      for (const Ingredient& i : ingredients_) planned.sources.push_back(i.tensors.at(name));
    }
    if (!weights::is_float(first.dtype)) {
      if (averages) planned.sources = {copied_integers(ingredients_, planned)};
      planned.dtype = planned.sources[0].dtype;
      planned.averaged = false;
    } else {
      // One value on which every logit hangs is not worth rounding.
      const bool scale = name == "logit_scale" || name == "logit_bias";
      const DType widest_of_all = widest(planned.sources);
      planned.dtype = scale ? widest_of_all : options_.dtype.value_or(widest_of_all);
      planned.averaged = averages;
      if (name == "logit_scale" && planned.numel() == 1) settle_logit_scale(planned);
    }
    plan_.tensors.push_back(std::move(planned));
  }

  std::string output_name(const std::string& name) const {
    if (config_ != nullptr) return model::checkpoint_name(*config_, name);
    return ingredients_[0].text_prefix && is_text(name) ? "text." + name : name;
  }

  static bool is_text(const std::string& name) {
    return !name.starts_with("visual.") && !name.starts_with("logit_");
  }

  // One value, so it is settled here.
  void settle_logit_scale(PlannedTensor& planned) {
    double value = 0;
    switch (planned.averaged ? options_.logit_scale : Options::LogitScale::kFirst) {
      case Options::LogitScale::kMean:
        value = mean(planned.sources);
        break;
      case Options::LogitScale::kFirst:
        value = value_of(planned.sources[0]);
        break;
      case Options::LogitScale::kMax:
        value = value_of(planned.sources[0]);
        for (const Tensor& source : planned.sources) value = std::max(value, value_of(source));
        break;
      case Options::LogitScale::kValue:
        value = options_.logit_scale_value;
        break;
    }
    Tensor scalar = scalar_of(value, planned.shape, planned.dtype);
    // ln 100 as the type holds it, lest a value at the clamp be taken for one above it.
    const Tensor limit = scalar_of(kMaxLogitScale, planned.shape, planned.dtype);
    const double stored = value_of(scalar);
    if (stored < 0 || stored > value_of(limit)) {
      plan_.warnings.push_back("logit_scale " + std::to_string(stored) +
                               " is outside [0, ln 100] " + "and was clamped");
      scalar = stored < 0 ? scalar_of(0, planned.shape, planned.dtype) : limit;
    }
    planned.settled_from = std::exchange(planned.sources, {std::move(scalar)});
    planned.averaged = false;
  }

  double mean(const std::vector<Tensor>& sources) const {
    double sum = 0;
    for (size_t i = 0; i < sources.size(); ++i) {
      const double x = value_of(sources[i]);
      if (options_.accumulate == Accumulate::kF32Seq) {
        sum =
            static_cast<float>(sum) + static_cast<float>(x) * static_cast<float>(plan_.weights[i]);
      } else {
        sum += plan_.uniform ? x : x * plan_.weights[i];
      }
    }
    const bool divide = plan_.uniform && options_.accumulate == Accumulate::kF64;
    return divide ? sum / static_cast<double>(sources.size()) : sum;
  }

  std::span<const Ingredient> ingredients_;
  const Options& options_;
  const model::ClipConfig* config_;
  Plan plan_;
};

}  // namespace

int64_t PlannedTensor::numel() const {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

int64_t Plan::byte_size() const {
  int64_t size = 0;
  for (const PlannedTensor& tensor : tensors) size += tensor.byte_size();
  return size;
}

std::vector<double> normalised(const std::vector<double>& weights) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  require(std::isfinite(sum) && sum != 0, "the weights' sum is ", sum,
          ", which they cannot be divided by");
  std::vector<double> shares = weights;
  for (double& weight : shares) weight /= sum;
  return shares;
}

std::vector<std::string> warnings_about(std::span<const Ingredient> ingredients) {
  std::vector<std::string> warnings;
  for (const Ingredient& i : ingredients) {
    const bool narrow = std::any_of(i.tensors.begin(), i.tensors.end(), [](const auto& entry) {
      return weights::is_float(entry.second.dtype) && weights::dtype_size(entry.second.dtype) == 2;
    });
    if (narrow) {
      warnings.push_back(i.given + ": has 16-bit weights, which have lost much of the difference " +
                         "between fine-tunes; average the fp32 ones if there are");
    }
  }
  const auto& tensors = ingredients[0].tensors;
  if (std::any_of(tensors.begin(), tensors.end(),
                  [](const auto& entry) { return entry.first.ends_with("running_mean"); })) {
    warnings.emplace_back(
        "batch norm's running statistics are averaged, but those of an averaged network are "
        "others: measure the result, and recompute them over training pictures if it is worse");
  }
  return warnings;
}

Plan make_plan(std::span<const Ingredient> ingredients, const Options& options,
               const model::ClipConfig* config) {
  require(!ingredients.empty(), "nothing to average");
  if (config != nullptr) {
    model::bind_tensors(*config, ingredients[0].tensors, ingredients[0].given);
  }
  return Planner(ingredients, options, config).make();
}

}  // namespace clipnext::soup

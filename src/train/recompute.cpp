#include "train/recompute.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <utility>

#include "train/mode.h"

namespace clipnext::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Recipe : torch::CustomClassHolder {
  Recipe(Computation c, std::optional<at::ScalarType> t) : compute(std::move(c)), autocast(t) {}
  Computation compute;
  std::optional<at::ScalarType> autocast;
};

/// Casts made here belong to this run's copies of the parameters.
class NoCastCache {
 public:
  NoCastCache() : before_(at::autocast::is_autocast_cache_enabled()) {
    at::autocast::set_autocast_cache_enabled(false);
  }
  ~NoCastCache() { at::autocast::set_autocast_cache_enabled(before_); }
  NoCastCache(const NoCastCache&) = delete;
  NoCastCache& operator=(const NoCastCache&) = delete;

 private:
  bool before_;
};

struct Recompute : torch::autograd::Function<Recompute> {
  static at::Tensor forward(AutogradContext* ctx, at::TensorList inputs,
                            const c10::intrusive_ptr<Recipe>& recipe) {
    ctx->saved_data["recipe"] = c10::IValue::make_capsule(recipe);
    ctx->save_for_backward(inputs.vec());
    return recipe->compute(inputs.vec());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto recipe =
        c10::static_intrusive_pointer_cast<Recipe>(ctx->saved_data["recipe"].toCapsule());
    const variable_list inputs = ctx->get_saved_variables();
    variable_list copies;
    variable_list wanted;
    for (size_t i = 0; i < inputs.size(); ++i) {
      copies.push_back(inputs[i].detach().requires_grad_(ctx->needs_input_grad(i)));
      if (copies.back().requires_grad()) wanted.push_back(copies.back());
    }
    variable_list results(inputs.size() + 1);  // the recipe has none
    if (wanted.empty() || !grads[0].defined()) return results;

    at::Tensor output;
    {
      const at::AutoGradMode with_grad(true);
      const NoCastCache no_cache;
      const Autocast autocast(inputs[0].device(), recipe->autocast);
      output = recipe->compute(copies);
    }
    const variable_list found = torch::autograd::grad({output}, wanted, {grads[0]}, std::nullopt,
                                                      /*create_graph=*/false,
                                                      /*allow_unused=*/true);
    size_t next = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (copies[i].requires_grad()) results[i] = found[next++];
    }
    return results;
  }
};

}  // namespace

at::Tensor recompute(Computation compute, const std::vector<at::Tensor>& inputs) {
  const auto recipe =
      c10::make_intrusive<Recipe>(std::move(compute), current_autocast(inputs.front().device()));
  return Recompute::apply(at::TensorList(inputs), recipe);
}

}  // namespace clipnext::train

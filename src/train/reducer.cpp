#include "train/reducer.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/node.h>
#include <torch/csrc/autograd/variable.h>

#include <mutex>
#include <optional>
#include <utility>

#include "base/error.h"

namespace clipnext::train {
namespace {

/// Calls a function once a parameter's gradient has been added up.
class Arrival : public torch::autograd::FunctionPostHook {
 public:
  explicit Arrival(std::function<void()> call) : call_(std::move(call)) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                            const torch::autograd::variable_list&) override {
    call_();
    return outputs;
  }

 private:
  std::function<void()> call_;
};

}  // namespace

struct GradientReducer::Bucket {
  at::Tensor flat;
  std::vector<size_t> parameters;
  size_t missing = 0;
  std::optional<Pending> pending = std::nullopt;
};

struct GradientReducer::State {
  std::mutex mutex;  // gradients of several devices arrive on threads of their own
  bool active = false;
  size_t next = 0;  // the bucket to send
  std::vector<bool> here;
  // Holds the nodes that carry the hooks, which parameters refer to weakly.
  std::vector<c10::intrusive_ptr<torch::autograd::Node>> nodes;
};

GradientReducer::GradientReducer(std::vector<at::Tensor> parameters, Group& group,
                                 int64_t bucket_bytes, int64_t first_bytes)
    : parameters_(std::move(parameters)), group_(group), state_(std::make_shared<State>()) {
  if (group_.size() == 1) return;
  places_.resize(parameters_.size());
  int64_t room = 0;
  std::vector<int64_t> sizes;
  for (size_t i = parameters_.size(); i-- > 0;) {
    const at::Tensor& p = parameters_[i];
    const auto bytes = static_cast<int64_t>(p.nbytes());
    const bool fits = !buckets_.empty() && bytes <= room &&
                      parameters_[buckets_.back().parameters[0]].options().type_equal(p.options());
    if (!fits) {
      room = buckets_.empty() ? first_bytes : bucket_bytes;
      buckets_.emplace_back();
      sizes.push_back(0);
    }
    room -= bytes;
    places_[i] = {buckets_.size() - 1, sizes.back()};
    sizes.back() += p.numel();
    buckets_.back().parameters.push_back(i);
  }
  for (size_t i = 0; i < buckets_.size(); ++i) {
    const at::Tensor& like = parameters_[buckets_[i].parameters[0]];
    buckets_[i].flat = at::empty({sizes[i]}, like.options().requires_grad(false));
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    auto node = torch::autograd::impl::grad_accumulator(parameters_[i]);
    std::weak_ptr<State> alive = state_;
    node->add_post_hook(std::make_unique<Arrival>([this, alive, i] {
      if (!alive.expired()) arrived(i);
    }));
    state_->nodes.push_back(std::move(node));
  }
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::begin() {
  if (group_.size() == 1) return;
  const std::lock_guard lock(state_->mutex);
  state_->active = true;
  state_->next = 0;
  state_->here.assign(parameters_.size(), false);
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters.size();
}

void GradientReducer::arrived(size_t parameter) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->active || state_->here[parameter]) return;
  state_->here[parameter] = true;
  Bucket& bucket = buckets_[places_[parameter].bucket];
  const at::NoGradGuard no_grad;
  const at::Tensor& gradient = parameters_[parameter].grad();
  at::Tensor place = bucket.flat.narrow(0, places_[parameter].offset, gradient.numel());
  at::mul_out(place, gradient.reshape(-1),
              at::scalar_tensor(1.0 / static_cast<double>(group_.size()), place.options()));
  --bucket.missing;
  send_full_ones();
}

void GradientReducer::send_full_ones() {
  while (state_->next < buckets_.size() && buckets_[state_->next].missing == 0) {
    Bucket& bucket = buckets_[state_->next++];
    bucket.pending = group_.start_all_reduce(bucket.flat);
  }
}

void GradientReducer::finish() {
  if (group_.size() == 1) return;
  const at::NoGradGuard no_grad;
  {
    const std::lock_guard lock(state_->mutex);
    require(state_->active, "finish() without begin()");
    state_->active = false;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      if (state_->here[i]) continue;
      Bucket& bucket = buckets_[places_[i].bucket];
      bucket.flat.narrow(0, places_[i].offset, parameters_[i].numel()).zero_();
      --bucket.missing;
    }
    send_full_ones();
  }
  for (Bucket& bucket : buckets_) {
    bucket.pending->wait();
    bucket.pending.reset();
    for (const size_t i : bucket.parameters) {
      const at::Tensor mean = bucket.flat.narrow(0, places_[i].offset, parameters_[i].numel());
      at::Tensor& gradient = parameters_[i].mutable_grad();
      if (gradient.defined()) {
        gradient.copy_(mean.view_as(gradient));
      } else {
        gradient = mean.view(parameters_[i].sizes()).clone();
      }
    }
  }
}

}  // namespace clipnext::train

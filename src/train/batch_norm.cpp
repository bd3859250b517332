#include "train/batch_norm.h"

#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <optional>

#include "train/group.h"
#include "train/kept.h"

namespace clipnext::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kMomentum = 0.1;
constexpr double kEps = 1e-5;
constexpr std::array<int64_t, 3> kSamples{0, 2, 3};  // of [n, c, h, w]

/// The type to compute in: float32 for what is narrower.
at::ScalarType wide(const at::Tensor& x) { return at::promote_types(x.scalar_type(), at::kFloat); }

/// Of all ranks' samples, per channel.
struct BatchStatistics {
  at::Tensor mean, var;  // [c]; var is over the count
  double count = 0;      // samples in a channel

  at::Tensor inverse_deviation() const { return (var + kEps).rsqrt(); }
};

BatchStatistics batch_statistics(const at::Tensor& x, Group& group) {
  const auto [var, mean] = at::var_mean(x, kSamples, std::optional<at::Scalar>(0));
  const auto count = static_cast<double>(x.numel() / x.size(1));
  const at::Tensor mine = at::stack({mean, var, at::full_like(mean, count)}).to(at::kDouble);
  const at::Tensor all = group.all_gather(mine.unsqueeze(0));  // [ranks, 3, c]
  const at::Tensor means = all.select(1, 0), vars = all.select(1, 1), counts = all.select(1, 2);
  const at::Tensor total = counts.sum(0);
  const at::Tensor whole_mean = (counts * means).sum(0) / total;
  const at::Tensor spread = (counts * (vars + (means - whole_mean).square())).sum(0) / total;
  return {.mean = whole_mean.to(x.scalar_type()),
          .var = spread.to(x.scalar_type()),
          .count = total[0].item<double>()};
}

/// [c] as [1, c, 1, 1].
at::Tensor per_channel(const at::Tensor& values) { return values.view({1, -1, 1, 1}); }

struct SharedBatchNorm : torch::autograd::Function<SharedBatchNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gain,
                            const at::Tensor& bias, at::Tensor running_mean, at::Tensor running_var,
                            Group* group) {
    const at::Tensor values = x.to(wide(x));
    const BatchStatistics batch = batch_statistics(values, *group);
    running_mean.lerp_(batch.mean.to(running_mean.scalar_type()), kMomentum);
    const at::Tensor unbiased = batch.var * (batch.count / (batch.count - 1));
    running_var.lerp_(unbiased.to(running_var.scalar_type()), kMomentum);
    const at::Tensor inverse = batch.inverse_deviation();
    context->save_for_backward({x, gain, batch.mean, inverse});
    context->saved_data["count"] = batch.count;
    keep(context, "group", group);
    const at::Tensor scale = gain * inverse;
    const at::Tensor centred = values - per_channel(batch.mean);
    return (centred * per_channel(scale) + per_channel(bias)).to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& incoming) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &gain = saved[1], &mean = saved[2], &inverse = saved[3];
    const at::Tensor dy = incoming[0].to(wide(x));
    const at::Tensor unit = (x.to(wide(x)) - per_channel(mean)) * per_channel(inverse);
    const at::Tensor for_bias = dy.sum(kSamples);
    const at::Tensor for_gain = (dy * unit).sum(kSamples);
    at::Tensor all = at::stack({for_bias, for_gain});
    kept<Group>(context, "group")->all_reduce(all);
    all = all / context->saved_data["count"].toDouble();
    const at::Tensor through_statistics = per_channel(all[0]) + unit * per_channel(all[1]);
    const at::Tensor dx = (dy - through_statistics) * per_channel(gain * inverse);
    return {dx.to(x.scalar_type()),
            for_gain.to(gain.scalar_type()),
            for_bias.to(gain.scalar_type()),
            {},
            {},
            {}};
  }
};

}  // namespace

at::Tensor batch_norm(const at::Tensor& x, const model::ConvNorm<at::Tensor>& params,
                      const Mode& mode) {
  const bool of_batch = mode.training && !mode.freeze_batch_norm;
  if (of_batch && mode.batch_norm_group != nullptr) {
    return SharedBatchNorm::apply(x, params.gain, params.bias, params.mean, params.var,
                                  mode.batch_norm_group);
  }
  return at::batch_norm(x, params.gain, params.bias, params.mean, params.var, of_batch, kMomentum,
                        kEps, /*cudnn_enabled=*/true);
}

}  // namespace clipnext::train

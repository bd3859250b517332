#include "train/depthwise.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "kernels/kernels.h"
#include "train/mode.h"
#include "train/parallel.h"

namespace clipnext::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kTaps = 49;

/// [c, 1, 7, 7] as the kernels take it, [49, c].
at::Tensor by_taps(const at::Tensor& weight) {
  return weight.view({weight.size(0), kTaps}).t().contiguous();
}

/// taps [49, c], bias [c], x dense.
at::Tensor convolve(const at::Tensor& x, const at::Tensor& taps, const at::Tensor& bias) {
  const int64_t h = x.size(1);
  const int64_t w = x.size(2);
  const int64_t c = x.size(3);
  const int64_t picture = h * w * c;
  at::Tensor y = at::empty_like(x);
  const float* in = x.const_data_ptr<float>();
  const float* weight = taps.const_data_ptr<float>();
  const float* offset = bias.const_data_ptr<float>();
  float* out = y.data_ptr<float>();
  // Bands read three rows above and below their own, so not too thin.
  const int64_t bands = std::max<int64_t>(1, h / 14);
  parallel_for(x.size(0) * bands, [&](int64_t i) {
    const int64_t at = i / bands * picture;
    const int64_t band = i % bands;
    kernels::kernels().depthwise_conv7(in + at, h, w, c, weight, offset, h * band / bands,
                                       h * (band + 1) / bands, out + at);
  });
  return y;
}

/// Gradients [49, c] and [c] of taps and bias: sums of pictures, then of the batch.
std::pair<at::Tensor, at::Tensor> tap_gradients(const at::Tensor& x, const at::Tensor& grad) {
  const int64_t n = x.size(0);
  const int64_t h = x.size(1);
  const int64_t w = x.size(2);
  const int64_t c = x.size(3);
  at::Tensor sums = at::empty({n, kTaps + 1, c}, x.options());
  const float* in = x.const_data_ptr<float>();
  const float* g = grad.const_data_ptr<float>();
  float* out = sums.data_ptr<float>();
  parallel_for(n, [&](int64_t i) {
    float* taps = out + i * (kTaps + 1) * c;
    kernels::kernels().depthwise_conv7_grad(in + i * h * w * c, g + i * h * w * c, h, w, c, taps,
                                            taps + kTaps * c);
  });
  const at::Tensor total = sums.sum(0);
  return {total.narrow(0, 0, kTaps), total[kTaps]};
}

struct DepthwiseConv7 : torch::autograd::Function<DepthwiseConv7> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias) {
    const at::Tensor dense = x.contiguous();
    ctx->save_for_backward({dense, weight});
    return convolve(dense, by_taps(weight), bias.contiguous());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& weight = saved[1];
    const at::Tensor g = grads[0].contiguous();
    variable_list results(3);
    if (ctx->needs_input_grad(0)) {
      const at::Tensor reversed = by_taps(weight).flip(0);
      results[0] = convolve(g, reversed, at::zeros({weight.size(0)}, weight.options()));
    }
    if (ctx->needs_input_grad(1) || ctx->needs_input_grad(2)) {
      auto [taps, bias] = tap_gradients(saved[0], g);
      results[1] = taps.t().reshape(weight.sizes());
      results[2] = bias;
    }
    return results;
  }
};

}  // namespace

bool uses_kernels(const at::Tensor& x, const at::Tensor& weight) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat &&
         !current_autocast(x.device());
}

at::Tensor depthwise_conv7(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (uses_kernels(x, weight)) return DepthwiseConv7::apply(x, weight, bias);
  constexpr int64_t kPadding = 3;
  return at::conv2d(x.permute({0, 3, 1, 2}), weight, bias, 1, kPadding, 1, x.size(3))
      .permute({0, 2, 3, 1});
}

}  // namespace clipnext::train

#include "train/layers.h"

#include <torch/csrc/autograd/custom_function.h>

namespace clipnext::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor spread(const at::Tensor& x, const at::Tensor& index, int64_t rows) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape[0] = rows;
  return at::zeros(shape, x.options()).index_copy_(0, index, x);
}

// PyTorch's own backward of index_select adds row by row, since an index might come twice.
struct SelectRows : torch::autograd::Function<SelectRows> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& index) {
    ctx->saved_data["rows"] = x.size(0);
    ctx->save_for_backward({index});
    return x.index_select(0, index);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    return {spread(grads[0], ctx->get_saved_variables()[0], ctx->saved_data["rows"].toInt()), {}};
  }
};

struct SpreadRows : torch::autograd::Function<SpreadRows> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& index,
                            int64_t rows) {
    ctx->save_for_backward({index});
    return spread(x, index, rows);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    return {grads[0].index_select(0, ctx->get_saved_variables()[0]), {}, {}};
  }
};

}  // namespace

at::Tensor layer_norm(const at::Tensor& x, const model::Norm<at::Tensor>& norm, double eps) {
  return at::layer_norm(x.to(norm.weight.scalar_type()), norm.weight.sizes(), norm.weight,
                        norm.bias, eps)
      .to(x.scalar_type());
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    int64_t stride, int64_t padding) {
  return at::conv2d(x.permute({0, 3, 1, 2}), weight, bias, stride, padding).permute({0, 2, 3, 1});
}

at::Tensor activate(const at::Tensor& x, model::Activation activation) {
  if (activation == model::Activation::kGelu) return at::gelu(x);
  return x * at::sigmoid(1.702 * x);
}

at::Tensor select_rows(const at::Tensor& x, const at::Tensor& index) {
  return SelectRows::apply(x, index);
}

at::Tensor spread_rows(const at::Tensor& x, const at::Tensor& index, int64_t rows) {
  return SpreadRows::apply(x, index, rows);
}

void show(const Mode& mode, const std::string& name, const at::Tensor& x) {
  if (mode.trace) mode.trace(name, x);
}

}  // namespace clipnext::train

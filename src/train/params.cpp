#include "train/params.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstring>

#include "base/error.h"
#include "model/bind.h"

namespace clipnext::train {
namespace {

/// A leaf that training changes, or a buffer.
void set_leaf(at::Tensor& leaf, at::Tensor values, const model::ParamInfo& info) {
  leaf = std::move(values);
  leaf.requires_grad_(info.role != model::Role::kStatistic);
}

weights::DType dtype_of(const at::Tensor& tensor, const std::string& name) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return weights::DType::kF32;
    case at::kBFloat16:
      return weights::DType::kBF16;
    case at::kHalf:
      return weights::DType::kF16;
    default:
      fail("parameter ", name, " is ", at::toString(tensor.scalar_type()),
           ", expected float32, bfloat16 or float16");
  }
}

/// A bound tree's leaves in visiting order.
std::vector<const weights::Tensor*> leaves_of(model::ClipParams<weights::Tensor>& bound,
                                              const model::ClipConfig& config) {
  std::vector<const weights::Tensor*> leaves;
  model::visit(bound, config, [&](weights::Tensor& tensor, const model::ParamInfo&) {
    leaves.push_back(&tensor);
  });
  return leaves;
}

/// Float32, on the host.
at::Tensor values_of(const weights::Tensor& tensor, const weights::Shape& shape) {
  at::Tensor values = at::empty(shape, at::kFloat);
  weights::copy_as_f32(tensor, values.data_ptr<float>());
  return values;
}

/// Copies the leaves that have data.
void copy_bound(model::ClipParams<weights::Tensor>& bound, const model::ClipConfig& config,
                Params& params) {
  const at::NoGradGuard no_grad;
  const auto sources = leaves_of(bound, config);
  size_t next = 0;
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    const weights::Tensor& tensor = *sources[next++];
    if (!tensor.data.empty()) leaf.detach().copy_(values_of(tensor, info.shape));
  });
}

/// What `bf16` and `fp16` leave in float32.
bool stays_float32(const model::ClipConfig& config, const model::ParamInfo& info) {
  const bool image = info.name.starts_with("visual.");
  if (std::holds_alternative<model::ConvNextConfig>(config.vision)) {
    // timm models are cast whole; only the norms of the text tower are put back.
    return !image && (info.name.find("ln_") != std::string::npos);
  }
  if (info.role == model::Role::kConv) return false;
  if (info.role == model::Role::kLinear) return false;
  // open_clip leaves these, and then fails at the next linear layer.
  if (info.role == model::Role::kLayerScale) return false;
  if (info.role != model::Role::kBias) return true;
  // Of the biases, those of linear layers go with their weights, those of norms stay.
  return info.name.find("ln_") != std::string::npos || info.name.find("bn") != std::string::npos ||
         info.name.find("downsample.1") != std::string::npos;
}

}  // namespace

Params make_params(const model::ClipConfig& config, at::Device device) {
  auto params = model::make_params<at::Tensor>(config);
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    set_leaf(leaf, at::zeros(info.shape, at::TensorOptions(at::kFloat).device(device)), info);
  });
  return params;
}

Params from_tensors(const model::ClipConfig& config, const weights::TensorMap& tensors,
                    const std::string& source, at::Device device) {
  auto bound = model::bind_tensors(config, tensors, source);
  const auto sources = leaves_of(bound, config);
  auto params = model::make_params<at::Tensor>(config);
  size_t next = 0;
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    set_leaf(leaf, values_of(*sources[next++], info.shape).to(device), info);
  });
  return params;
}

std::vector<std::string> load_fitting(Params& params, const model::ClipConfig& config,
                                      const weights::TensorMap& tensors,
                                      const std::string& source) {
  std::vector<std::string> misfits;
  auto bound = model::bind_fitting(config, tensors, misfits);
  require(misfits.size() < leaves_of(bound, config).size(), source, ": holds no tensor that fits ",
          config.name);
  copy_bound(bound, config, params);
  return misfits;
}

void load_trunk(Params& params, const model::ClipConfig& config, const weights::TensorMap& tensors,
                const std::string& source) {
  auto bound = model::bind_trunk(config, tensors, source);
  copy_bound(bound, config, params);
}

weights::TensorMap to_tensors(Params& params, const model::ClipConfig& config) {
  weights::TensorMap tensors;
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    const at::Tensor values = leaf.detach().to(at::kCPU).contiguous();
    auto fresh = weights::allocate_tensor(dtype_of(values, info.name), info.shape);
    std::memcpy(fresh.bytes.data(), values.const_data_ptr(), fresh.bytes.size());
    tensors.emplace(info.name, std::move(fresh.tensor));
  });
  return tensors;
}

void cast_params(Params& params, const model::ClipConfig& config, at::ScalarType type,
                 CastRule rule) {
  for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo& info) {
    if (rule == CastRule::kNative && stays_float32(config, info)) return;
    set_leaf(leaf, leaf.detach().to(type), info);
  });
}

}  // namespace clipnext::train

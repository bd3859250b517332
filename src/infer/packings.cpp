#include "infer/packings.h"

#include <utility>

namespace clipnext::infer {

Packings::Packings(const model::ClipConfig& config, model::ClipParams<weights::Tensor> tensors,
                   const kernels::Kernels& kernels, ThreadPool& pool)
    : config_(config), kernels_(kernels), pool_(pool) {
  fold_batch_norms(tensors);
  model::visit(tensors, config, [&](weights::Tensor& tensor, const model::ParamInfo&) {
    parameters_.push_back({.source = std::move(tensor)});
  });
}

Params Packings::compose(const LayerTypes& types) {
  auto params = model::make_params<Weight>(config_);
  size_t next = 0;
  model::visit(params, config_, [&](Weight& weight, const model::ParamInfo& info) {
    Parameter& parameter = parameters_[next++];
    if (info.role == model::Role::kStatistic) return;
    const ComputeType type = layer_type(types, info.name);
    Weight& packed = parameter.packed[static_cast<size_t>(type)];
    if (packed.contents().empty()) {
      packed = pack_weight(parameter.source, info, type, kernels_, pool_);
    }
    weight = packed;
  });
  return params;
}

}  // namespace clipnext::infer

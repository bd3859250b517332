// The parameters of a model in training: the tree of model/params.h over libtorch's tensors.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::train {

using Params = model::ClipParams<at::Tensor>;

/// f(at::Tensor&, const model::ParamInfo&) for every tensor, running statistics included, in the
/// order of the reference's `named_parameters` within a module.
template <class F>
void for_each_param(Params& params, const model::ClipConfig& config, F&& f) {
  model::visit(params, config, std::forward<F>(f));
}

/// Float32 tensors of the config's shapes on `device`, all zero. All but running statistics require
/// gradients, here and below.
Params make_params(const model::ClipConfig& config, at::Device device = at::kCPU);

/// The values that training from scratch begins with (spec: model.md section 12), a function of
/// the seed and each tensor's name; any device or type.
void initialise(Params& params, const model::ClipConfig& config, uint64_t seed);

/// Float32 copies of a checkpoint's tensors on `device`. Strict, as model::bind_tensors is: throws
/// Error that lists every tensor that is missing, unexpected or of the wrong shape.
Params from_tensors(const model::ClipConfig& config, const weights::TensorMap& tensors,
                    const std::string& source, at::Device device = at::kCPU);

/// Copies into `params` what fits of the checkpoint of another model, as model::bind_fitting finds
/// it. Returns a text for each tensor that stays as it is. Throws Error if all do, naming `source`.
std::vector<std::string> load_fitting(Params& params, const model::ClipConfig& config,
                                      const weights::TensorMap& tensors, const std::string& source);

/// Copies timm's checkpoint of a ConvNeXt into the trunk, as model::bind_trunk finds it, which is
/// strict.
void load_trunk(Params& params, const model::ClipConfig& config, const weights::TensorMap& tensors,
                const std::string& source);

/// Copies for a checkpoint, by open_clip's names (text tower without `text.`), each in the type it
/// has (float32, bfloat16, float16).
weights::TensorMap to_tensors(Params& params, const model::ClipConfig& config);

/// The low-precision modes without autocast, as open_clip casts a model: kNative (`bf16`, `fp16`)
/// leaves float32 what it leaves (a timm tower is cast whole, of the others all but norms,
/// embeddings, class token and scale); kPure (`pure_bf16`, `pure_fp16`) casts everything.
enum class CastRule : uint8_t { kNative, kPure };
void cast_params(Params& params, const model::ClipConfig& config, at::ScalarType type,
                 CastRule rule);

/// The tensors of one block or norm, in visiting order.
template <class Block, class... Sizes>
std::vector<at::Tensor*> tensors_of(Block& block, Sizes... sizes) {
  std::vector<at::Tensor*> tensors;
  model::visit(block, sizes..., "", 0,
               [&](at::Tensor& t, const model::ParamInfo&) { tensors.push_back(&t); });
  return tensors;
}

}  // namespace clipnext::train

#include "cli/detect.h"

#include <map>
#include <string_view>

#include "model/params.h"

namespace clipnext::cli {
namespace {

using Shapes = std::map<std::string, weights::Shape, std::less<>>;

// Buffers that carry nothing are no sign of a model.
bool is_parameter(std::string_view name) {
  return !name.ends_with("attn_mask") && !name.ends_with("num_batches_tracked") &&
         name != "input_resolution" && name != "context_length" && name != "vocab_size";
}

// Names as in model::ParamInfo: without the custom layout's `text.`; scalars as [].
Shapes plain_shapes(const weights::TensorMap& tensors) {
  Shapes shapes;
  for (const auto& [name, tensor] : tensors) {
    if (!is_parameter(name)) continue;
    const std::string plain = name.starts_with("text.") ? name.substr(5) : name;
    const bool scalar = plain == "logit_scale" && tensor.shape == weights::Shape{1};
    shapes.emplace(plain, scalar ? weights::Shape{} : tensor.shape);
  }
  return shapes;
}

bool matches(const Shapes& shapes, const model::ClipConfig& config) {
  const std::vector<model::ParamInfo> params = model::list_params(config);
  if (params.size() != shapes.size()) return false;
  for (const model::ParamInfo& param : params) {
    const auto found = shapes.find(param.name);
    if (found == shapes.end() || found->second != param.shape) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> matching_configs(const weights::TensorMap& tensors) {
  const Shapes shapes = plain_shapes(tensors);
  std::vector<std::string> names;
  for (const std::string& name : model::builtin_config_names()) {
    if (matches(shapes, model::builtin_config(name))) names.push_back(name);
  }
  return names;
}

}  // namespace clipnext::cli

#include "cli/detect.h"

#include <map>

#include "model/bind.h"
#include "model/params.h"

namespace clipnext::cli {
namespace {

using Shapes = std::map<std::string, weights::Shape, std::less<>>;

// Names as in model::ParamInfo: without the custom layout's `text.`; scalars as [].
Shapes plain_shapes(const weights::TensorMap& tensors) {
  Shapes shapes;
  for (const auto& [name, tensor] : tensors) {
    const std::string plain = name.starts_with("text.") ? name.substr(5) : name;
    if (model::is_ignorable(plain)) continue;
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

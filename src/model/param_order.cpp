#include "model/param_order.h"

#include <algorithm>

namespace clipnext::model {
namespace {

bool is_scale(std::string_view name) { return name == "logit_scale" || name == "logit_bias"; }
bool is_image(std::string_view name) { return name.starts_with("visual."); }

// Where a tensor stands among its model's parts; within a part the visiting order is the order of
// named_parameters(). A text projection with a bias is a module, and the last one.
int native_place(std::string_view name) {
  if (name == "positional_embedding" || name == "text_projection") return 0;
  if (is_scale(name)) return 1;
  if (is_image(name)) return 2;
  if (name.starts_with("transformer.")) return 3;
  return name.starts_with("text_projection.") ? 5 : 4;
}

int custom_place(std::string_view name) {
  if (is_scale(name)) return 0;
  if (is_image(name)) return 1;
  if (name == "positional_embedding" || name == "text_projection") return 2;
  if (name.starts_with("token_embedding.")) return 3;
  if (name.starts_with("transformer.")) return 4;
  return name.starts_with("text_projection.") ? 6 : 5;
}

}  // namespace

std::vector<ParamInfo> ordered_tensors(const ClipConfig& config) {
  std::vector<ParamInfo> tensors = list_params(config);
  const auto place = config.custom_text ? custom_place : native_place;
  std::stable_sort(tensors.begin(), tensors.end(), [&](const ParamInfo& a, const ParamInfo& b) {
    return place(a.name) < place(b.name);
  });
  return tensors;
}

std::vector<ParamInfo> ordered_params(const ClipConfig& config) {
  std::vector<ParamInfo> tensors = ordered_tensors(config);
  std::erase_if(tensors, [](const ParamInfo& info) { return info.role == Role::kStatistic; });
  return tensors;
}

std::string checkpoint_name(const ClipConfig& config, std::string_view plain_name) {
  const bool in_text = config.custom_text && !is_image(plain_name) && !is_scale(plain_name);
  return (in_text ? "text." : "") + std::string(plain_name);
}

}  // namespace clipnext::model

#include "model/params.h"

namespace clipnext::model {

std::vector<ParamInfo> list_params(const ClipConfig& config) {
  struct Nothing {};
  std::vector<ParamInfo> params;
  ClipParams<Nothing> tree = make_params<Nothing>(config);
  visit(tree, config, [&](Nothing&, ParamInfo info) { params.push_back(std::move(info)); });
  return params;
}

}  // namespace clipnext::model

#include "datasets/dataset.h"

#include "datasets/named.h"
#include "datasets/wds.h"

namespace clipnext::datasets {
namespace {

constexpr std::string_view kWds = "wds/";

}  // namespace

Dataset open_dataset(const Request& request) {
  return request.name.starts_with(kWds) ? read_wds(request) : open_named(request);
}

std::string short_name(const std::string& name) {
  return name.starts_with(kWds) ? name.substr(kWds.size()) : name;
}

}  // namespace clipnext::datasets

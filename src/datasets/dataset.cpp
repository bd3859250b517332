#include "datasets/dataset.h"

#include "datasets/catalogue.h"
#include "datasets/named.h"
#include "datasets/names.h"
#include "datasets/wds.h"

namespace clipnext::datasets {
namespace {

constexpr std::string_view kWds = "wds/";

}  // namespace

Dataset open_dataset(const Request& request) {
  Dataset dataset = request.name.starts_with(kWds) ? read_wds(request) : open_named(request);
  apply_custom_names(request, dataset);
  const std::vector<std::string> warnings = check_counts(request, dataset);
  dataset.warnings.insert(dataset.warnings.end(), warnings.begin(), warnings.end());
  return dataset;
}

std::string short_name(const std::string& name) {
  return name.starts_with(kWds) ? name.substr(kWds.size()) : name;
}

}  // namespace clipnext::datasets

#include "datasets/dataset.h"

#include "datasets/catalogue.h"
#include "datasets/named.h"
#include "datasets/names.h"

namespace clipnext::datasets {

Dataset open_dataset(const Request& request) {
  Dataset dataset = open_named(request);
  apply_custom_names(request, dataset);
  const std::vector<std::string> warnings = check_counts(request, dataset);
  dataset.warnings.insert(dataset.warnings.end(), warnings.begin(), warnings.end());
  return dataset;
}

std::string short_name(const std::string& name) {
  return name.starts_with("wds/") ? name.substr(4) : name;
}

}  // namespace clipnext::datasets

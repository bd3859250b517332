#include "datasets/dataset.h"

namespace clipnext::datasets {

std::string short_name(const std::string& name) {
  return name.starts_with("wds/") ? name.substr(4) : name;
}

}  // namespace clipnext::datasets

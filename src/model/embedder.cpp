#include "model/embedder.h"

#include <algorithm>

#include "base/error.h"

namespace clipnext::model {

void TokenRows::add(std::span<const int32_t> ids) {
  require(!ids.empty(), "a row of tokens is empty");
  const auto pooled = std::max_element(ids.begin(), ids.end());  // the first of equals
  ids_.insert(ids_.end(), ids.begin(), pooled + 1);
  offsets_.push_back(static_cast<int64_t>(ids_.size()));
}

std::span<const int32_t> TokenRows::row(int64_t i) const {
  const auto at = static_cast<size_t>(i);
  return std::span(ids_).subspan(static_cast<size_t>(offsets_[at]),
                                 static_cast<size_t>(offsets_[at + 1] - offsets_[at]));
}

}  // namespace clipnext::model

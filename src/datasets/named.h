// Data sets in the forms their makers publish them in.
#pragma once

#include "datasets/dataset.h"

namespace clipnext::datasets {

/// open_dataset for every name that does not begin with "wds/".
Dataset open_named(const Request& request);

}  // namespace clipnext::datasets

// Data sets by the names clip_benchmark has for them, in the form they are published in.
#pragma once

#include "datasets/dataset.h"

namespace clipnext::datasets {

/// Opens a data set whose name does not begin with wds/. Names that are not known are class folders
/// (forms.h). Throws Error for names whose published form is not read here, saying which is.
Dataset open_named(const Request& request);

}  // namespace clipnext::datasets

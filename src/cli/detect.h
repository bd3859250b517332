// Which model a checkpoint belongs to, judged by names and shapes alone.
#pragma once

#include <string>
#include <vector>

#include "weights/tensor.h"

namespace clipnext::cli {

/// The configurations inside the program whose parameters are exactly those tensors, in either
/// layout of the text tower; more than one where configs differ in what tensors do not show
/// (activation, image size of a ConvNeXt).
std::vector<std::string> matching_configs(const weights::TensorMap& tensors);

}  // namespace clipnext::cli

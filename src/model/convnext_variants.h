// timm's ConvNeXt v1 models by name.
#pragma once

#include <string>

#include "model/config.h"
#include "model/fields.h"

namespace clipnext::model {

/// Fills depths, dims, stem, MLP storage, norms and eps from `config.timm_name`, then lays the
/// trunk's own arguments (timm_model_kwargs) over them. What cannot be computed is a problem of
/// `vision`, the object that holds the name.
void apply_variant(const Json* timm_model_kwargs, Fields& vision, Problems& problems,
                   ConvNextConfig& config);

/// The hub's repository of the weights that timm loads into such a trunk: of the tag behind the dot
/// of its name, else of timm's default one, "timm/convnext_tiny.in12k_ft_in1k".
std::string timm_repository(const ConvNextConfig& config);

}  // namespace clipnext::model

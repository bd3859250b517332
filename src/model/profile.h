// What a model costs for one image and one text: parameters, operations, activations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"

namespace clipnext::model {

/// One part of a tower, or the sum of its parts.
struct PartProfile {
  std::string name;           // "stem", "stage 2", "blocks"
  int64_t blocks = 0;         // residual blocks in it
  int64_t channels = 0;       // of its output
  int64_t height = 0;         // output positions: map [height, width], tokens [1, width]
  int64_t width = 0;          //
  int64_t parameters = 0;     // running statistics of batch norms left out
  int64_t macs = 0;           // as open_clip's table counts: FLOPs = 2 * macs
  int64_t activations = 0;    // output elements of convolutions, linear layers, matrix products
  int64_t norm_elements = 0;  // inputs of layer (or batch) norms
  int64_t fvcore_macs = 0;    // macs, and what fvcore adds for norms and average pooling
};

struct TowerProfile {
  std::vector<PartProfile> parts;  // in the order data passes them
  PartProfile sum;                 // channels, height, width: of the tower's output
};

struct Profile {
  std::string name;
  int64_t image_height = 0, image_width = 0, context_length = 0;
  TowerProfile image, text;
  PartProfile total;  // both towers; parameters with logit_scale and logit_bias
};

/// Counts for batch 1 at the config's own image size and full context. macs follow the torch FLOP
/// counter behind open_clip's model_profile.csv (attention as the full square, one pooled row for
/// the projections, no norms or activations); activations and fvcore_macs follow fvcore with
/// attention traced as separate products: 5 per LayerNorm element, 2 per batch norm element, 1 per
/// element pooled at the end of a ConvNeXt.
Profile profile(const ClipConfig& config);

}  // namespace clipnext::model

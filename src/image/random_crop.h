// Which part of a picture a training sample shows.
#pragma once

#include <array>

#include "base/random.h"
#include "image/resize_region.h"

namespace clipnext::image {

/// The part of a width x height picture that torchvision's RandomResizedCrop would take: its share
/// of the area uniform in `scale`, width over height log-uniform in `ratio`, its place uniform;
/// where ten draws do not fit, the largest part in the middle whose ratio is allowed.
Region draw_crop(int width, int height, const std::array<double, 2>& scale,
                 const std::array<double, 2>& ratio, RandomStream& random);

}  // namespace clipnext::image

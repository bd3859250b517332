// Boxes of a training sample that noise takes the place of (Zhong et al., arXiv:1708.04896).
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "image/resize_region.h"

namespace clipnext::image {

/// timm's RandomErasing(probability, max_count=count): none, or one to `count` boxes, each of an
/// area uniform between 0.02 and 1/3 of the picture, over their number, and a height over width
/// log-uniform between 0.3 and 1/0.3; smaller than the picture both ways, and left out where ten
/// draws are not.
std::vector<Region> draw_erasing(int width, int height, double probability, int count,
                                 RandomStream& random);

/// Fills a box of values [h, w, 3], `width` pixels wide, with independent normal numbers (mean 0,
/// variance 1, none beyond 5.77).
void erase(const Region& box, int width, RandomStream& random, float* values);

}  // namespace clipnext::image

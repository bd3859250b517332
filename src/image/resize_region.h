// A part of a resized image, without computing the rest.
#pragma once

#include "image/resample_plan.h"

namespace clipnext::image {

/// A rectangle of a resized image.
struct Region {
  Span columns, rows;
};

/// The pixels `region` of resize(source, width, height, filter), which is never held whole: memory
/// grows with the source and the region only, so width and height are not limited as resize()'s.
Image resize_region(const Image& source, int64_t width, int64_t height, Filter filter,
                    const Region& region);

}  // namespace clipnext::image

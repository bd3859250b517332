// A part of a resized image without computing the rest, and a part of an image resized.
#pragma once

#include "image/resample_plan.h"

namespace clipnext::image {

/// A rectangle of an image.
struct Region {
  Span columns, rows;
};

/// The pixels `region` of resize(source, width, height, filter), which is never held whole: memory
/// grows with the source and the region only, so width and height are not limited as resize()'s.
Image resize_region(const Image& source, int64_t width, int64_t height, Filter filter,
                    const Region& region);

/// resize() of a part of the source that is cut out first: what lies outside the part has no
/// influence, other than in Pillow's resize(box=...). RGB is not copied for it. Throws as resize().
Image resize_part(const Image& source, const Region& part, int width, int height, Filter filter);

}  // namespace clipnext::image

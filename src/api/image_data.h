// What the public Image holds.
#pragma once

#include <clipnext/clipnext.hpp>

#include "image/image.h"

namespace clipnext {

struct Image::Data {
  image::Image pixels;
};

}  // namespace clipnext

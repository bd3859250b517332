// What each mode stores per pixel.
#include "image/image.h"

namespace clipnext::image {

Image make_image(Mode mode, int64_t width, int64_t height) {
  Image image;
  image.mode = mode;
  image.width = static_cast<int>(width);
  image.height = static_cast<int>(height);
  image.data.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * pixel_bytes(mode));
  return image;
}

int channels(Mode mode) {
  switch (mode) {
    case Mode::kLA:
    case Mode::kPA:
      return 2;
    case Mode::kRgb:
      return 3;
    case Mode::kRgba:
    case Mode::kCmyk:
      return 4;
    case Mode::k1:
    case Mode::kL:
    case Mode::kP:
    case Mode::kI16:
    case Mode::kI:
    case Mode::kF:
      return 1;
  }
  return 1;
}

int sample_bytes(Mode mode) {
  if (mode == Mode::kI16) return 2;
  return mode == Mode::kI || mode == Mode::kF ? 4 : 1;
}

size_t pixel_bytes(Mode mode) {
  return static_cast<size_t>(channels(mode)) * static_cast<size_t>(sample_bytes(mode));
}

const char* mode_name(Mode mode) {
  switch (mode) {
    case Mode::k1:
      return "1";
    case Mode::kL:
      return "L";
    case Mode::kLA:
      return "LA";
    case Mode::kP:
      return "P";
    case Mode::kPA:
      return "PA";
    case Mode::kRgb:
      return "RGB";
    case Mode::kRgba:
      return "RGBA";
    case Mode::kCmyk:
      return "CMYK";
    case Mode::kI16:
      return "I;16";
    case Mode::kI:
      return "I";
    case Mode::kF:
      return "F";
  }
  return "?";
}

}  // namespace clipnext::image

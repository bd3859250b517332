// Resize, centre crop or pad, RGB; then scaling to the floats the towers take.
#include "image/preprocess.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "image/convert.h"
#include "image/resize_region.h"
#include "image/round_even.h"

namespace clipnext::image {

namespace {

struct Size {
  int64_t width = 0;
  int64_t height = 0;
};

/// open_clip's ResizeKeepRatio: the side that `ratio` was chosen by becomes the target's.
Size keep_ratio(const Image& source, double ratio) {
  return {round_even(source.width / ratio), round_even(source.height / ratio)};
}

Size resized_size(const Image& source, const PreprocessConfig& config) {
  const double ratio_h = static_cast<double>(source.height) / config.height;
  const double ratio_w = static_cast<double>(source.width) / config.width;
  switch (config.resize_mode) {
    case ResizeMode::kSquash:
      return {config.width, config.height};
    case ResizeMode::kLongest:
      return keep_ratio(source, std::max(ratio_h, ratio_w));
    case ResizeMode::kShortest:
      break;
  }
  if (config.height != config.width) return keep_ratio(source, std::min(ratio_h, ratio_w));
  const int64_t shorter = std::min(source.width, source.height);
  const int64_t longer = int64_t{config.width} * std::max(source.width, source.height) / shorter;
  return source.width <= source.height ? Size{config.width, longer} : Size{longer, config.width};
}

Filter filter_for(const PreprocessConfig& config) {
  // torchvision's Resize takes the configured filter; ResizeKeepRatio is made without one here.
  const bool ratio = config.resize_mode == ResizeMode::kShortest && config.height != config.width;
  return ratio ? Filter::kBicubic : config.interpolation;
}

/// One axis of CenterCropOrPad: which outputs of the resize survive, and where they go.
struct Placement {
  Span kept;
  int64_t offset = 0;
};

Placement place(int64_t size, int64_t target) {
  if (size <= target) return {{0, size}, (target - size) / 2};
  return {{round_even(static_cast<double>(size - target) / 2), target}, 0};
}

/// One pixel of `value` in every channel, as ImageOps.expand fills.
std::vector<uint8_t> fill_pixel(Mode mode, int value) {
  std::vector<uint8_t> pixel(pixel_bytes(mode));
  if (mode == Mode::kI16) {
    const auto sample = static_cast<uint16_t>(std::clamp(value, 0, 65535));
    std::memcpy(pixel.data(), &sample, sizeof(sample));
  } else if (mode == Mode::kI) {
    const int32_t sample = value;
    std::memcpy(pixel.data(), &sample, sizeof(sample));
  } else if (mode == Mode::kF) {
    const auto sample = static_cast<float>(value);
    std::memcpy(pixel.data(), &sample, sizeof(sample));
  } else {
    std::fill(pixel.begin(), pixel.end(), static_cast<uint8_t>(std::clamp(value, 0, 255)));
  }
  return pixel;
}

/// part on a canvas of the target size filled with `fill`, at (left, top).
Image pad(const Image& part, const PreprocessConfig& config, int fill, int64_t left, int64_t top) {
  const std::vector<uint8_t> pixel = fill_pixel(part.mode, fill);
  Image canvas = make_image(part.mode, config.width, config.height);
  canvas.palette = part.palette;
  const size_t row = pixel.size() * static_cast<size_t>(config.width);
  const size_t part_row = pixel.size() * static_cast<size_t>(part.width);
  for (size_t i = 0; i < canvas.data.size(); i += pixel.size()) {
    std::memcpy(&canvas.data[i], pixel.data(), pixel.size());
  }
  for (int64_t y = 0; y < part.height; ++y) {
    std::memcpy(
        &canvas.data[static_cast<size_t>(top + y) * row + static_cast<size_t>(left) * pixel.size()],
        &part.data[static_cast<size_t>(y) * part_row], part_row);
  }
  return canvas;
}

}  // namespace

Image preprocess(const Image& source, const PreprocessConfig& config) {
  require(config.width > 0 && config.height > 0 && config.width <= 65535 && config.height <= 65535,
          "preprocess to ", config.width, "x", config.height, ": sides must be 1 to 65535");
  require(source.width > 0 && source.height > 0, "preprocess: the image is empty");
  const Size size = resized_size(source, config);
  require(size.width > 0 && size.height > 0, "preprocess: a ", source.width, "x", source.height,
          " image has no pixels left at ", config.width, "x", config.height);
  // Pillow would hold all of it; for us only the walk along the long side counts.
  constexpr int64_t kMaxSide = int64_t{1} << 27;
  require(size.width <= kMaxSide && size.height <= kMaxSide, "preprocess: a ", source.width, "x",
          source.height, " image is too elongated for ", config.width, "x", config.height);
  const Placement x = place(size.width, config.width);
  const Placement y = place(size.height, config.height);
  Image part = resize_region(source, size.width, size.height, filter_for(config), {x.kept, y.kept});
  if (part.width != config.width || part.height != config.height) {
    const int fill = config.resize_mode == ResizeMode::kLongest ? config.fill_color : 0;
    part = pad(part, config, fill, x.offset, y.offset);
  }
  return to_rgb(part);
}

std::array<std::array<float, 256>, 3> normalization_table(const PreprocessConfig& config) {
  std::array<std::array<float, 256>, 3> table{};
  for (size_t c = 0; c < table.size(); ++c) {
    for (size_t value = 0; value < table[c].size(); ++value) {
      const float scaled = static_cast<float>(value) / 255.0f;
      const float centred = scaled - config.mean[c];
      table[c][value] = centred / config.std[c];
    }
  }
  return table;
}

void to_tensor(const Image& pixels, const PreprocessConfig& config, float* out) {
  const auto table = normalization_table(config);
  const size_t plane = pixels.data.size() / 3;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = 0; i < plane; ++i) out[c * plane + i] = table[c][pixels.data[3 * i + c]];
  }
}

}  // namespace clipnext::image

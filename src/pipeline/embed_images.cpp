#include "pipeline/embed_images.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "image/convert.h"
#include "image/decode.h"
#include "image/preprocess.h"
#include "pipeline/decode_ahead.h"

namespace clipnext::pipeline {
namespace {

// Enough pictures that the tower's matrices are large, few enough that an interrupt is not kept
// waiting: 10 pictures of 320 x 320, 64 of 64 x 64, times the embedder's factor; at least one for
// each decoding thread. All batches of a list have about the same size.
int64_t batch_size(const image::PreprocessConfig& config, int64_t pictures, int threads,
                   int64_t factor) {
  constexpr int64_t kBatchPixels = int64_t{1} << 20;
  constexpr int64_t kBatchPictures = 64;
  const int64_t fit = factor * kBatchPixels /
                      std::max<int64_t>(checked_mul(config.height, config.width, "image size"), 1);
  const int64_t most =
      std::max<int64_t>(std::clamp<int64_t>(fit, 1, factor * kBatchPictures), threads);
  const int64_t batches = (pictures + most - 1) / most;
  return batches > 0 ? (pictures + batches - 1) / batches : most;
}

// Moves the good pictures together, in order; returns how many there are.
int64_t compact(DecodeAhead::Batch& batch, size_t image_bytes) {
  size_t kept = 0;
  for (size_t i = 0; i < batch.reasons.size(); ++i) {
    if (batch.reasons[i]) continue;
    if (kept != i) {
      std::memcpy(batch.pixels.data() + kept * image_bytes, batch.pixels.data() + i * image_bytes,
                  image_bytes);
    }
    ++kept;
  }
  return static_cast<int64_t>(kept);
}

image::Image load_whole(const ImageSource& source, const image::DecodeLimits& limits) {
  if (source.bytes == nullptr && !source.range) return image::decode_file(source.name, limits);
  const auto bytes = source.bytes != nullptr
                         ? source.bytes
                         : std::make_shared<const std::string>(read_bytes(source));
  return image::decode({reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()},
                       source.name, limits);
}

// Of an RGB picture.
image::Image cut_out(const image::Image& whole, const CropBox& box) {
  constexpr size_t kPixel = 3;
  image::Image part =
      image::make_image(whole.mode, int64_t{box.right} - box.left, int64_t{box.bottom} - box.top);
  const int32_t left = std::clamp(box.left, 0, whole.width);
  const int32_t right = std::clamp(box.right, left, whole.width);
  if (left == right) return part;
  for (int32_t y = std::max(box.top, 0); y < std::min(box.bottom, whole.height); ++y) {
    const auto from =
        (static_cast<size_t>(y) * static_cast<size_t>(whole.width) + static_cast<size_t>(left)) *
        kPixel;
    const auto to = (static_cast<size_t>(y - box.top) * static_cast<size_t>(part.width) +
                     static_cast<size_t>(left - box.left)) *
                    kPixel;
    std::copy_n(whole.data.begin() + static_cast<std::ptrdiff_t>(from),
                static_cast<size_t>(right - left) * kPixel,
                part.data.begin() + static_cast<std::ptrdiff_t>(to));
  }
  return part;
}

}  // namespace

image::DecodeLimits decode_limits(const image::PreprocessConfig& config, bool fast_decode) {
  image::DecodeLimits limits;
  if (fast_decode) limits.enough_side = 2 * int64_t{std::max(config.width, config.height)};
  return limits;
}

image::Image load_image(const ImageSource& source, const image::DecodeLimits& limits) {
  if (!source.crop) return load_whole(source, limits);
  // The box counts the pixels of the whole picture.
  image::DecodeLimits full = limits;
  full.enough_side = 0;
  const CropBox& box = *source.crop;
  const int64_t width = int64_t{box.right} - box.left;
  const int64_t height = int64_t{box.bottom} - box.top;
  require(width > 0 && height > 0 && width <= full.max_pixels / height, source.name,
          ": the part to cut out, from (", box.left, ", ", box.top, ") to (", box.right, ", ",
          box.bottom, "), is empty or larger than the limit of ", full.max_pixels, " pixels");
  return cut_out(image::to_rgb(load_whole(source, full)), box);
}

image::Image preprocess(const image::Image& source, const image::PreprocessConfig& config,
                        ConvertOrder order) {
  if (order == ConvertOrder::kFirst && source.mode != image::Mode::kRgb) {
    return image::preprocess(image::to_rgb(source), config);
  }
  return image::preprocess(source, config);
}

void for_each_embedded(model::Embedder& embedder, const ThreadPool& pool,
                       std::span<const ImageSource> sources, const ImageOptions& options,
                       const std::function<void(const EmbeddedBatch&)>& sink) {
  const image::PreprocessConfig& config = embedder.config().preprocess;
  const int64_t height = config.height;
  const int64_t width = config.width;
  const auto dim = static_cast<size_t>(embedder.config().embed_dim);

  std::vector<float> vectors;
  const int64_t size =
      batch_size(config, std::ssize(sources), pool.size(), embedder.batch_factor());
  DecodeAhead pictures(sources, config, options, size, pool.size());
  while (DecodeAhead::Batch* batch = pictures.next()) {
    throw_if_interrupted();
    EmbeddedBatch embedded{.first = batch->first, .size = batch->reasons.size()};
    for (size_t i = 0; i < batch->reasons.size(); ++i) {
      if (!batch->reasons[i]) continue;
      if (options.on_bad == OnBad::kFail) throw Error(*batch->reasons[i]);
      embedded.bad.push_back(
          {.index = static_cast<int64_t>(batch->first + i), .reason = *batch->reasons[i]});
    }
    const int64_t n = compact(*batch, static_cast<size_t>(height * width * 3));
    vectors.resize(static_cast<size_t>(n) * dim);
    if (n > 0) {
      embedder.embed_images({.pixels = batch->pixels.data(), .n = n, .h = height, .w = width},
                            vectors.data(), options.normalize);
    }
    embedded.vectors = vectors;
    sink(embedded);
  }
}

Embedded embed_images(model::Embedder& embedder, const ThreadPool& pool,
                      std::span<const ImageSource> sources, const ImageOptions& options,
                      const BatchDone& batch_done) {
  Embedded result;
  result.vectors.reserve(sources.size() * static_cast<size_t>(embedder.config().embed_dim));
  for_each_embedded(embedder, pool, sources, options, [&](const EmbeddedBatch& batch) {
    result.vectors.insert(result.vectors.end(), batch.vectors.begin(), batch.vectors.end());
    auto bad = batch.bad.begin();
    for (size_t i = batch.first; i < batch.first + batch.size; ++i) {
      const auto index = static_cast<int64_t>(i);
      if (bad != batch.bad.end() && bad->index == index) {
        ++bad;
      } else {
        result.good.push_back(index);
      }
    }
    result.bad.insert(result.bad.end(), batch.bad.begin(), batch.bad.end());
    if (batch_done) batch_done(static_cast<int64_t>(batch.size));
  });
  return result;
}

}  // namespace clipnext::pipeline

#include "pipeline/embed_images.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/checked.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "image/convert.h"
#include "image/decode.h"
#include "image/preprocess.h"

namespace clipnext::pipeline {
namespace {

// Enough pictures that the tower's matrices are large, few enough that an interrupt is not kept
// waiting: 10 pictures of 320 x 320, 64 of 64 x 64; at least one for each decoding thread.
int64_t batch_size(int64_t height, int64_t width, int threads) {
  constexpr int64_t kBatchPixels = int64_t{1} << 20;
  const int64_t fit = kBatchPixels / std::max<int64_t>(checked_mul(height, width, "image size"), 1);
  return std::max<int64_t>(std::clamp<int64_t>(fit, 1, 64), threads);
}

// One batch of pixels, refilled for each batch; `reason[i]` is set where picture i is bad.
struct Batch {
  std::vector<uint8_t> pixels;  // [n, h, w, 3]
  std::vector<std::optional<std::string>> reasons;
};

void fill(Batch& batch, ThreadPool& pool, std::span<const ImageSource> sources,
          const image::PreprocessConfig& config, ConvertOrder order) {
  const size_t image_bytes =
      static_cast<size_t>(config.height) * static_cast<size_t>(config.width) * 3;
  batch.pixels.resize(sources.size() * image_bytes);
  batch.reasons.assign(sources.size(), std::nullopt);
  pool.parallel_for(static_cast<int64_t>(sources.size()), [&](int64_t index) {
    throw_if_interrupted();
    const auto i = static_cast<size_t>(index);
    try {
      const image::Image pixels = preprocess(load_image(sources[i]), config, order);
      std::memcpy(batch.pixels.data() + i * image_bytes, pixels.data.data(), image_bytes);
    } catch (const Error& error) {
      batch.reasons[i] = error.what();
    }
  });
}

// Moves the good pictures together, in order; returns how many there are.
int64_t compact(Batch& batch, size_t image_bytes) {
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

}  // namespace

image::Image load_image(const ImageSource& source) {
  if (source.bytes == nullptr) return image::decode_file(source.name);
  const auto* data = reinterpret_cast<const uint8_t*>(source.bytes->data());
  return image::decode({data, source.bytes->size()}, source.name);
}

image::Image preprocess(const image::Image& source, const image::PreprocessConfig& config,
                        ConvertOrder order) {
  if (order == ConvertOrder::kFirst && source.mode != image::Mode::kRgb) {
    return image::preprocess(image::to_rgb(source), config);
  }
  return image::preprocess(source, config);
}

Embedded embed_images(model::Embedder& embedder, ThreadPool& pool,
                      std::span<const ImageSource> sources, const ImageOptions& options,
                      const BatchDone& batch_done) {
  const image::PreprocessConfig& config = embedder.config().preprocess;
  const int64_t height = config.height;
  const int64_t width = config.width;
  const auto dim = static_cast<size_t>(embedder.config().embed_dim);
  const auto step = static_cast<size_t>(batch_size(height, width, pool.size()));

  Embedded result;
  result.vectors.reserve(sources.size() * dim);
  Batch batch;
  for (size_t first = 0; first < sources.size(); first += step) {
    throw_if_interrupted();
    const auto part = sources.subspan(first, std::min(step, sources.size() - first));
    fill(batch, pool, part, config, options.convert);
    throw_if_interrupted();
    for (size_t i = 0; i < part.size(); ++i) {
      const auto index = static_cast<int64_t>(first + i);
      if (!batch.reasons[i]) {
        result.good.push_back(index);
        continue;
      }
      if (options.on_bad == OnBad::kFail) throw Error(*batch.reasons[i]);
      result.bad.push_back({.index = index, .reason = *batch.reasons[i]});
    }
    const int64_t n = compact(batch, static_cast<size_t>(height * width * 3));
    if (n > 0) {
      const size_t at = result.vectors.size();
      result.vectors.resize(at + static_cast<size_t>(n) * dim);
      embedder.embed_images({.pixels = batch.pixels.data(), .n = n, .h = height, .w = width},
                            result.vectors.data() + at);
    }
    if (batch_done) batch_done(static_cast<int64_t>(part.size()));
  }
  return result;
}

}  // namespace clipnext::pipeline

// Picture files to vectors in batches: while the tower computes one, the next is decoded and
// preprocessed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "image/decode.h"
#include "model/embedder.h"
#include "pipeline/embedded.h"
#include "pipeline/image_source.h"

namespace clipnext::pipeline {

/// What decoding for `config` may cost: with fast_decode large JPEGs are decoded at a part of their
/// size, of which at least twice what the model sees is left.
image::DecodeLimits decode_limits(const image::PreprocessConfig& config, bool fast_decode);

/// Pixels as Pillow would open the file; of a source with a crop that part, in RGB. Throws Error
/// that begins with the source's name.
image::Image load_image(const ImageSource& source, const image::DecodeLimits& limits = {});

/// When a picture becomes RGB. kLast is open_clip's transform applied to an opened file, which
/// resizes in the file's own mode; kFirst is how its data sets read. They differ for pictures with
/// a palette or alpha, and for CMYK and 16-bit ones.
enum class ConvertOrder : uint8_t { kFirst, kLast };

/// What the model sees of a picture: RGB8 [height, width, 3] of `config`.
image::Image preprocess(const image::Image& source, const image::PreprocessConfig& config,
                        ConvertOrder order);

struct ImageOptions {
  ConvertOrder convert = ConvertOrder::kLast;
  OnBad on_bad = OnBad::kFail;
  bool fast_decode = false;  // not exact; decode_limits
  bool normalize = true;     // unit vectors
};

/// The pictures first .. first + size - 1 of a list, embedded.
struct EmbeddedBatch {
  size_t first = 0;
  size_t size = 0;
  std::span<const float> vectors = {};  // [size - bad.size(), dim], of the good ones in order
  std::vector<BadItem> bad = {};        // ascending
};

/// Embeds every picture, in order, and hands each batch to `sink`; the rest is as in embed_images.
void for_each_embedded(model::Embedder& embedder, const ThreadPool& pool,
                       std::span<const ImageSource> sources, const ImageOptions& options,
                       const std::function<void(const EmbeddedBatch&)>& sink);

/// Embeds every picture, in order, decoding with as many threads as the pool has beside the
/// embedder. The vector of a picture does not depend on the others nor on the pool. Throws
/// Interrupted between batches.
Embedded embed_images(model::Embedder& embedder, const ThreadPool& pool,
                      std::span<const ImageSource> sources, const ImageOptions& options = {},
                      const BatchDone& batch_done = {});

}  // namespace clipnext::pipeline

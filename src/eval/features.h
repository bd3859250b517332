// The pictures and texts of a data set as vectors, computed once: what was computed before a run
// was killed, or by a run before, is read back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "model/embedder.h"
#include "pipeline/embed_images.h"
#include "text/tokenizer.h"

namespace clipnext::eval {

/// Where vectors are kept.
struct FeaturePlace {
  std::filesystem::path folder;  // with their own names when `keep`; else under a hash, and what is
                                 // there for over a month is removed
  std::string name;              // "test": files are called features_test.*
  bool keep = false;             // after the run, too
};

struct Features {
  std::vector<float> vectors;          // [good.size(), dim]
  std::vector<int64_t> good;           // indices into the list, ascending
  std::vector<pipeline::BadItem> bad;  // ascending
  bool from_disk = false;              // all of them
};

/// Embeds the pictures as data sets are read (RGB first). Throws as pipeline::for_each_embedded.
Features image_features(model::Embedder& embedder, const ThreadPool& pool,
                        std::span<const pipeline::ImageSource> images,
                        const pipeline::ImageOptions& options, const FeaturePlace& place,
                        bool quiet);

/// Unit vectors of the texts, in order. Throws Error for a text that is not UTF-8.
std::vector<float> text_features(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                                 std::span<const std::string> texts, const FeaturePlace& place,
                                 bool quiet);

}  // namespace clipnext::eval
